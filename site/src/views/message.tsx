// One message: what was said, thought and called, how fast, and what can be done with it.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { editMessage, regenerate } from '../data/answer.js';
import type { Message } from '../data/conversations.js';
import { formatMilliseconds, formatRate } from '../format.js';
import { copyText } from './copy.js';
import { Icon, IconButton } from './icon.js';
import { Markdown } from './markdown.js';

function speedOf({ figures }: Message): string {
  if (!figures) return '';
  const { generatedTokens, firstMilliseconds, milliseconds } = figures;
  const rest = milliseconds - firstMilliseconds;
  const rate = generatedTokens > 1 && rest > 0 ? ` · ${formatRate(((generatedTokens - 1) * 1000) / rest)} tokens/s` : '';
  return `${generatedTokens} tokens${rate} · first after ${formatMilliseconds(firstMilliseconds)}`;
}

function Calls({ message, results }: { message: Message; results: readonly Message[] }): JSX.Element {
  return (
    <>
      {message.calls?.map(({ id, function: { name, arguments: given } }) => {
        const result = results.find(({ callId }) => callId === id);
        return (
          <details key={id} class="call" open>
            <summary>Tool: {name}</summary>
            <pre tabIndex={0} dir="ltr"><code>{given}</code></pre>
            {result && <pre tabIndex={0} class="result"><code>{result.content}</code></pre>}
          </details>
        );
      })}
    </>
  );
}

function Editor({ text, mayAsk, onSave, onCancel }: { text: string; mayAsk: boolean; onSave: (text: string) => void; onCancel: () => void }): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const save = (): void => {
    const said = field.current?.value.trim() ?? '';
    if (said !== '' && mayAsk) onSave(said);
  };
  return (
    <div class="editor">
      <textarea ref={field} dir="auto" rows={Math.min(10, text.split('\n').length + 1)} aria-label="Edit the message" defaultValue={text}
        onKeyDown={event => {
          if (event.key === 'Escape') {
            event.stopPropagation(); // it stops no answer
            onCancel();
          }
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
        }} />
      <div class="row end">
        <button type="button" onClick={onCancel}>Cancel</button>
        <button type="button" class="main" disabled={!mayAsk} onClick={save}>Send again</button>
      </div>
    </div>
  );
}

export function MessageView({ conversation, message, results, isComing, mayAsk, onAsked }: {
  conversation: string; message: Message; results: readonly Message[]; isComing: boolean; mayAsk: boolean;
  /** The button that asked for another answer is gone, and the focus with it. */
  onAsked: () => void;
}): JSX.Element {
  const [isEdited, setEdited] = useState(false);
  const copy = useRef<HTMLButtonElement>(null);
  const { id, role, content, reasoning, error, stopped, cut } = message;
  const edit = useRef<HTMLButtonElement>(null);
  const wasEdited = useRef(false);
  useEffect(() => {
    if (wasEdited.current && !isEdited) edit.current?.focus();
    wasEdited.current = isEdited;
  }, [isEdited]);
  if (isEdited) {
    const save = (text: string): void => {
      onAsked();
      void editMessage(conversation, id, text);
    };
    return <article class="message user" aria-label="You"><Editor text={content} mayAsk={mayAsk} onCancel={() => setEdited(false)} onSave={save} /></article>;
  }
  return (
    <article class={`message ${role}`} aria-label={role === 'user' ? 'You' : 'Model'} aria-busy={isComing}>
      {reasoning && <details class="reasoning"><summary>{isComing && content === '' ? 'Thinking…' : 'Thoughts'}</summary><Markdown text={reasoning} grows={isComing} /></details>}
      {role === 'user' ? <div class="said" dir="auto">{content}</div> : content !== '' && <Markdown text={content} grows={isComing} />}
      <Calls message={message} results={results} />
      {isComing && content === '' && !reasoning && <p class="waiting"><span class="dot" /><span class="dot" /><span class="dot" /><span class="hidden">The model reads</span></p>}
      {error !== undefined && <p class="error" role="alert">{error}</p>}
      {stopped && <p class="note">Stopped.</p>}
      {cut && !isComing && <p class="note">The answer reached its length limit (see Settings, or the context).</p>}
      {!isComing && (
        <footer>
          {role === 'user' && <IconButton ref={edit} name="edit" label="Edit" disabled={!mayAsk} onClick={() => setEdited(true)} />}
          <button ref={copy} type="button" class="icon" aria-label="Copy" title="Copy" onClick={() => void copyText(content, copy.current)}><Icon name="copy" /></button>
          {role === 'assistant' && <IconButton name="again" label="Answer again" disabled={!mayAsk} onClick={() => { onAsked(); void regenerate(conversation, id); }} />}
          {role === 'assistant' && <span class="speed">{speedOf(message)}</span>}
        </footer>
      )}
    </article>
  );
}
