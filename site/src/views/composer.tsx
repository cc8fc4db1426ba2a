// Where the user writes. Enter sends, Shift+Enter begins a line; Escape stops the answer, from anywhere in the chat.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { Icon } from './icon.js';

// What is written and not sent yet outlives a look at another page.
let draft = '';

const isTouch = (): boolean => matchMedia('(pointer: coarse)').matches;

export function Composer({ isReady, isComing, placeholder, onSend, onStop }: {
  isReady: boolean; isComing: boolean; placeholder: string; onSend: (text: string) => void; onStop: () => void;
}): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  const grow = (): void => {
    const area = field.current;
    if (!area) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, 240)}px`;
  };
  useEffect(grow, []);
  useEffect(() => {
    // Not from where the user is: in the settings, say, while a model loads.
    const isBusy = document.activeElement instanceof HTMLElement && document.activeElement.matches('input, textarea, select, dialog *');
    if (isReady && !isBusy && !isTouch()) field.current?.focus();
  }, [isReady]);
  const send = (): void => {
    const text = field.current?.value.trim() ?? '';
    if (text === '' || !isReady || isComing) return;
    draft = field.current!.value = '';
    grow();
    onSend(text);
  };
  return (
    <form class="composer" onSubmit={event => { event.preventDefault(); send(); }}>
      <textarea ref={field} dir="auto" rows={1} aria-label="Message" placeholder={placeholder} defaultValue={draft}
        onInput={({ currentTarget }) => { draft = currentTarget.value; grow(); }}
        onKeyDown={event => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !isTouch()) {
            event.preventDefault();
            send();
          }
        }} />
      {isComing
        ? <button type="button" class="main round" aria-label="Stop" title="Stop (Escape)" onClick={onStop}><Icon name="stop" /></button>
        : <button type="submit" class="main round" aria-label="Send" title="Send (Enter)" disabled={!isReady}><Icon name="send" /></button>}
    </form>
  );
}
