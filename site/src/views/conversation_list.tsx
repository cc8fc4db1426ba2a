// The kept conversations: find, open, rename, save, delete.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import { asMarkdown, conversations, current, remove, rename, search, startConversation, type Conversation } from '../data/conversations.js';
import { formatWhen } from '../format.js';
import { useStore } from '../store.js';
import { saveFile } from './copy.js';
import { ask, askForText, askWhich } from './dialog.js';
import { Icon, IconButton } from './icon.js';

const fileNameOf = (title: string): string => title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60) || 'chat';

async function askToRename({ id, title }: Conversation): Promise<void> {
  const name = await askForText('Rename the chat', title, 'Rename');
  if (name !== undefined) rename(id, name);
}

async function askToRemove({ id, title }: Conversation): Promise<void> {
  if (await ask({ title: 'Delete the chat?', text: `“${title}” is deleted from this browser for good.`, yes: 'Delete', no: 'Keep' })) {
    // Its buttons go with it.
    document.querySelector<HTMLElement>('button.new')?.focus();
    await remove(id);
  }
}

async function save(conversation: Conversation): Promise<void> {
  const form = await askWhich({
    title: 'Save the chat', text: 'As text for people (Markdown), or with everything in it (JSON)?', yes: 'Markdown', other: 'JSON', no: 'Cancel',
  });
  if (form === undefined) return;
  const name = fileNameOf(conversation.title);
  if (form === 'other') saveFile(`${name}.json`, JSON.stringify(conversation, null, 2), 'application/json');
  else saveFile(`${name}.md`, asMarkdown(conversation), 'text/markdown');
}

export function ConversationList({ onChosen }: { onChosen: () => void }): JSX.Element {
  const all = useStore(conversations);
  const { id: open } = useStore(current);
  const [words, setWords] = useState('');
  const found = search(all, words);
  return (
    <>
      <button type="button" class="new" onClick={() => { startConversation(); onChosen(); }}><Icon name="plus" />New chat</button>
      {all.length > 3 && <input type="search" aria-label="Search the chats" placeholder="Search" value={words} onInput={({ currentTarget }) => setWords(currentTarget.value)} />}
      <ul class="plain chats" aria-label="Chats">
        {found.map(conversation => (
          <li key={conversation.id} class={conversation.id === open ? 'open' : ''}>
            <button type="button" class="chat" aria-current={conversation.id === open ? 'true' : undefined}
              onClick={() => { current.set({ id: conversation.id }); onChosen(); }}>
              <span dir="auto">{conversation.title}</span><small>{formatWhen(conversation.changed)}</small>
            </button>
            <span class="tools">
              <IconButton name="edit" label={`Rename ${conversation.title}`} onClick={() => void askToRename(conversation)} />
              <IconButton name="save" label={`Save ${conversation.title}`} onClick={() => void save(conversation)} />
              <IconButton name="trash" label={`Delete ${conversation.title}`} onClick={() => void askToRemove(conversation)} />
            </span>
          </li>
        ))}
      </ul>
      {words !== '' && found.length === 0 && <p class="note">Nothing found.</p>}
    </>
  );
}
