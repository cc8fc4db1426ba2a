// Questions to the user, one at a time, in the browser's own modal dialog: it keeps the focus, and Escape answers no.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { Store, useStore } from '../store.js';

interface Question {
  title: string;
  text?: string;
  body?: () => ComponentChildren;
  yes: string;
  no?: string;
  /** A text to ask for, and what it is now. */
  input?: string;
  answer: (value: string | undefined) => void;
}

const question = new Store<Question | undefined>(undefined);
let last: Promise<unknown> = Promise.resolve();

const show = (asked: Omit<Question, 'answer'>): Promise<string | undefined> => {
  const next = last.then(() => new Promise<string | undefined>(resolve => {
    question.set({ ...asked, answer: value => {
      question.set(undefined);
      resolve(value);
    } });
  }));
  last = next;
  return next;
};

export const ask = async (asked: Omit<Question, 'answer' | 'input'>): Promise<boolean> => (await show(asked)) !== undefined;
export const askForText = (title: string, input: string, yes: string): Promise<string | undefined> => show({ title, input, yes, no: 'Cancel' });

export function DialogPlace(): JSX.Element | null {
  const asked = useStore(question);
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!asked) return;
    dialog.current?.showModal();
    field.current?.select();
  }, [asked]);
  if (!asked) return null;
  const { title, text, body, yes, no, input, answer } = asked;
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onCancel={event => { event.preventDefault(); answer(undefined); }}>
      <form method="dialog" onSubmit={event => { event.preventDefault(); answer(field.current?.value ?? ''); }}>
        <h2 id="dialog-title">{title}</h2>
        {text && <p>{text}</p>}
        {body?.()}
        {input !== undefined && <input ref={field} type="text" aria-label={title} defaultValue={input} maxLength={200} />}
        <div class="row end">
          {no && <button type="button" onClick={() => answer(undefined)}>{no}</button>}
          <button type="submit" class="main">{yes}</button>
        </div>
      </form>
    </dialog>
  );
}
