// A model's text, drawn block by block. Markdown's code comes when the first text is there; until then the text is plain.
import { Component, type JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';

import type { GrowingMarkdown } from '../markdown.js';
import { Store, useStore } from '../store.js';
import { copyText } from './copy.js';

type Reader = typeof GrowingMarkdown;
const reader = new Store<Reader | undefined>(undefined);
let asked = false;

class Block extends Component<{ html: string }> {
  override shouldComponentUpdate(next: { html: string }): boolean {
    return next.html !== this.props.html;
  }
  override render({ html }: { html: string }): JSX.Element {
    return <div dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
  }
}

function onClick({ target }: MouseEvent): void {
  const button = target instanceof Element ? target.closest<HTMLButtonElement>('button[data-copy]') : null;
  const code = button?.closest('figure')?.querySelector('code');
  if (button && code) void copyText(code.textContent ?? '', button);
}

/** `grows`: more of it comes. */
export function Markdown({ text, grows }: { text: string; grows: boolean }): JSX.Element {
  const Growing = useStore(reader);
  const made = useMemo(() => Growing && new Growing(), [Growing]);
  const blocks = useMemo(() => (grows ? made?.blocksOf(text) : made?.whole(text)), [made, text, grows]);
  useEffect(() => {
    if (asked) return;
    asked = true;
    void import('../markdown.js').then(({ GrowingMarkdown: found }) => reader.set(found), () => { asked = false; });
  }, []);
  if (!blocks) return <div class="prose raw" dir="auto">{text}</div>;
  return <div class="prose" onClick={onClick}>{blocks.map((html, index) => <Block key={index} html={html} />)}</div>;
}
