// Markdown of a model as HTML that is safe to show: no HTML of its own, no pictures (they would be fetched), links that tell nobody.
import MarkdownIt from 'markdown-it';

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true });
markdown.disable('image');

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
    + `<pre tabindex="0"><code>${escape(content)}</code></pre></figure>\n`;
};
// Wide tables scroll by themselves.
rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
rules.table_close = () => '</table></div>\n';

/** One piece of HTML for each block of the top level: while an answer comes, all but the last stay as they are. */
export function renderBlocks(text: string): string[] {
  const env = {};
  const tokens = markdown.parse(text, env);
  const blocks: string[] = [];
  let begin = 0;
  let depth = 0;
  for (const [index, { nesting }] of tokens.entries()) {
    depth += nesting;
    if (depth > 0) continue;
    blocks.push(markdown.renderer.render(tokens.slice(begin, index + 1), markdown.options, env));
    begin = index + 1;
  }
  return blocks;
}
