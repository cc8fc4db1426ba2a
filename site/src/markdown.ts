// Markdown of a model as HTML that is safe to show: no HTML of its own, no pictures (they would be fetched), links that tell nobody.
import MarkdownIt from 'markdown-it';

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true });
markdown.disable('image');
// Only to pages and to letters: other schemes start programs of the user's, or lead back into this page.
markdown.validateLink = address => /^(https?|mailto):/i.test(address.trim());

const { rules } = markdown.renderer;
rules.link_open = (tokens, index, options, _env, self) => {
  tokens[index]!.attrSet('rel', 'noopener noreferrer nofollow');
  tokens[index]!.attrSet('target', '_blank');
  return self.renderToken(tokens, index, options);
};
// Columns are aligned by a class: the page's policy allows no styles in the text.
for (const name of ['th_open', 'td_open']) {
  rules[name] = (tokens, index, options, _env, self) => {
    const token = tokens[index]!;
    const aligned = /text-align:\s*(left|center|right)/.exec(String(token.attrGet('style') ?? ''))?.[1];
    token.attrs = aligned ? [['class', `align-${aligned}`]] : null;
    return self.renderToken(tokens, index, options);
  };
}
rules.fence = rules.code_block = (tokens, index) => {
  const { content, info } = tokens[index]!;
  const escape = markdown.utils.escapeHtml;
  const language = info.trim().split(/\s+/)[0] ?? '';
  return `<figure class="code"><figcaption><span>${escape(language)}</span><button type="button" class="quiet" data-copy>Copy</button></figcaption>`
    + `<pre tabindex="0" dir="ltr"><code>${escape(content)}</code></pre></figure>\n`;
};
// Wide tables scroll by themselves.
rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
rules.table_close = () => '</table></div>\n';

interface Block {
  html: string;
  /** The line of the text that it begins at. */
  line: number;
}

function parseBlocks(text: string, firstLine: number): Block[] {
  const env = {};
  const tokens = markdown.parse(text, env);
  const blocks: Block[] = [];
  let begin = 0;
  let depth = 0;
  for (const [index, { nesting }] of tokens.entries()) {
    depth += nesting;
    if (depth > 0) continue;
    blocks.push({ html: markdown.renderer.render(tokens.slice(begin, index + 1), markdown.options, env), line: firstLine + (tokens[begin]?.map?.[0] ?? 0) });
    begin = index + 1;
  }
  return blocks;
}

/**
 * A text that grows, as one piece of HTML for each block of the top level. What is added can change the last block, never one before
 * it, so only from there on it is read again: a long answer costs no more at its end than at its beginning. (A reference that is
 * defined further down is the exception; whole() makes good for it.)
 */
export class GrowingMarkdown {
  #text = '';
  #blocks: Block[] = [];

  blocksOf(text: string): string[] {
    const last = text.startsWith(this.#text) ? this.#blocks.at(-1) : undefined;
    if (last) {
      const rest = text.split('\n').slice(last.line).join('\n');
      this.#blocks = [...this.#blocks.slice(0, -1), ...parseBlocks(rest, last.line)];
    } else {
      this.#blocks = parseBlocks(text, 0);
    }
    this.#text = text;
    return this.#blocks.map(({ html }) => html);
  }

  whole(text: string): string[] {
    this.#text = '';
    this.#blocks = [];
    return this.blocksOf(text);
  }
}
