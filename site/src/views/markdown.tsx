// A model's text, drawn block by block. Markdown's code comes when the first text is there; until then the text is plain.
import { Component, type JSX } from 'preact';
import { useEffect } from 'preact/hooks';

import { Store, useStore } from '../store.js';
import { copyText } from './copy.js';

type Render = (text: string) => string[];
const render = new Store<Render | undefined>(undefined);
let asked = false;

class Block extends Component<{ html: string }> {
  override shouldComponentUpdate(next: { html: string }): boolean {
    return next.html !== this.props.html;
  }
  override render({ html }: { html: string }): JSX.Element {
    return <div dangerouslySetInnerHTML={{ __html: html }} />;
  }
}

function onClick({ target }: MouseEvent): void {
  const button = target instanceof Element ? target.closest<HTMLButtonElement>('button[data-copy]') : null;
  const code = button?.closest('figure')?.querySelector('code');
  if (button && code) void copyText(code.textContent ?? '', button);
}

export function Markdown({ text }: { text: string }): JSX.Element {
  const blocksOf = useStore(render);
  useEffect(() => {
    if (asked) return;
    asked = true;
    void import('../markdown.js').then(({ renderBlocks }) => render.set(renderBlocks), () => { asked = false; });
  }, []);
  if (!blocksOf) return <div class="prose raw">{text}</div>;
  return <div class="prose" onClick={onClick}>{blocksOf(text).map((html, index) => <Block key={index} html={html} />)}</div>;
}
