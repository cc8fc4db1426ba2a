// Questions to the user, one at a time, in the browser's own modal dialog: it keeps the focus, and Escape answers no.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { Store, useStore } from '../store.js';

interface Question {
  title: string;
  text?: string;
  body?: () => ComponentChildren;
  yes: string;
  /** Another thing that can be done. */
  other?: string;
  no?: string;
  /** A text to ask for, and what it is now. */
  input?: string;
  answer: (value: string | undefined) => void;
}

const question = new Store<Question | undefined>(undefined);
let last: Promise<unknown> = Promise.resolve();

const show = (asked: Omit<Question, 'answer'>): Promise<string | undefined> => {
  const next = last.then(() => new Promise<string | undefined>(resolve => {
    const mine: Question = { ...asked, answer: value => {
      if (question.value !== mine) return; // answered already
      question.set(undefined);
      resolve(value);
    } };
    question.set(mine);
  }));
  last = next;
  return next;
};

const OTHER = '\0other'; // no text that a field can hold

export const ask = async (asked: Omit<Question, 'answer' | 'input' | 'other'>): Promise<boolean> => (await show(asked)) !== undefined;
/** Which of two things to do, or neither. */
export async function askWhich(asked: Omit<Question, 'answer' | 'input'> & { other: string }): Promise<'yes' | 'other' | undefined> {
  const given = await show(asked);
  return given === undefined ? undefined : given === OTHER ? 'other' : 'yes';
}
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
  const { title, text, body, yes, other, no, input, answer } = asked;
  // Closed first: that gives the focus back to where it was.
  const end = (value: string | undefined): void => {
    dialog.current?.close();
    answer(value);
  };
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onCancel={event => { event.preventDefault(); end(undefined); }} onClose={() => answer(undefined)}>
      <form method="dialog" onSubmit={event => { event.preventDefault(); end(field.current?.value ?? ''); }}>
        <h2 id="dialog-title">{title}</h2>
        {text && <p>{text}</p>}
        {body?.()}
        {input !== undefined && <input ref={field} type="text" aria-label={title} defaultValue={input} maxLength={200} />}
        <div class="row end">
          {no && <button type="button" onClick={() => end(undefined)}>{no}</button>}
          {other && <button type="button" onClick={() => end(OTHER)}>{other}</button>}
          <button type="submit" class="main">{yes}</button>
        </div>
      </form>
    </dialog>
  );
}
