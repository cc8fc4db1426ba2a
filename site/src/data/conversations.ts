// The conversations of this browser, newest first.
import type { ToolCall } from '../package.js';
import { KeptStore, Store } from '../store.js';
import { erase, isLasting, readAll, write } from './database.js';

export interface Figures {
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  /** To the first token that was seen, and of the whole answer. */
  firstMilliseconds: number;
  milliseconds: number;
}

export interface Message {
  id: string;
  role: 'user' | 'assistant' | 'tool';
  content: string;
  reasoning?: string;
  calls?: ToolCall[];
  /** Of a tool's result. */
  callId?: string;
  figures?: Figures;
  /** The model that answered. */
  model?: string;
  stopped?: boolean;
  /** The answer is as long as was allowed. */
  cut?: boolean;
  error?: string;
}

export interface Conversation {
  id: string;
  title: string;
  /** The user named it. */
  named: boolean;
  created: number;
  changed: number;
  messages: Message[];
}

export const conversations = new Store<readonly Conversation[]>([]);
export const current = new KeptStore('wisp-current-conversation', { id: '' }, { isOfTab: true });
/** Why conversations cannot be kept now, or nothing. */
export const keepingProblem = new Store('');

export const newId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, '0')).join('');

export const currentConversation = (): Conversation | undefined => conversations.value.find(({ id }) => id === current.value.id);

const byTime = (list: readonly Conversation[]): Conversation[] => [...list].sort((a, b) => b.changed - a.changed);

// Of an answer that the page's end has cut, what was kept of it is there.
const asEnded = (message: Message): Message =>
  message.role === 'assistant' && !message.figures && message.error === undefined ? { ...message, stopped: true, calls: [] } : message;

// What other versions of the page kept, or other pages of this origin, must not keep this one from being drawn.
const isConversation = ({ title, messages }: Partial<Conversation>): boolean =>
  typeof title === 'string' && Array.isArray(messages) && messages.every(({ role, content }) => typeof role === 'string' && typeof content === 'string');

export async function readConversations(): Promise<void> {
  const kept = (await readAll<Conversation>('conversations').catch(() => [])).filter(isConversation);
  const here = new Set(conversations.value.map(({ id }) => id));
  const ended = kept.filter(({ id }) => !here.has(id)).map(one => ({ ...one, messages: one.messages.map(asEnded) }));
  conversations.set(byTime([...conversations.value, ...ended]));
}

// Other tabs of this page have the same conversations: what one changes, the others take, lest they write over it what they had.
type Told = { changed: Conversation } | { removed: string };
const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('wisp-conversations') : undefined;
tabs?.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  if ('removed' in data) return drop(data.removed);
  const { changed } = data;
  conversations.set(byTime([changed, ...conversations.value.filter(({ id }) => id !== changed.id)]));
});

async function kept(work: Promise<void>): Promise<void> {
  try {
    await work;
    keepingProblem.set(await isLasting() ? '' : 'this browser gives the page no storage');
  } catch (error) {
    keepingProblem.set(error instanceof Error ? error.message : String(error));
  }
}

export function startConversation(): Conversation {
  const empty = conversations.value.find(({ messages, named }) => messages.length === 0 && !named);
  if (empty) {
    current.set({ id: empty.id });
    return empty;
  }
  const made: Conversation = { id: newId(), title: 'New chat', named: false, created: Date.now(), changed: Date.now(), messages: [] };
  conversations.set([made, ...conversations.value]);
  current.set({ id: made.id });
  return made;
}

/** The first words of what was asked. */
const titleOf = (text: string): string => {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 48 ? `${line.slice(0, 47).trimEnd()}…` : line || 'New chat';
};

/** Changes a conversation; `keep` also writes it. While an answer streams, it is drawn often and written seldom. */
export function change(id: string, edit: (conversation: Conversation) => Conversation, keep = true): void {
  const found = conversations.value.find(one => one.id === id);
  if (!found) return; // deleted while its answer came
  const edited = { ...edit(found), changed: keep ? Date.now() : found.changed };
  const first = edited.messages.find(({ role }) => role === 'user');
  if (!edited.named && first) edited.title = titleOf(first.content);
  const list = conversations.value.map(one => (one.id === id ? edited : one));
  conversations.set(keep ? byTime(list) : list);
  if (!keep) return;
  void kept(write('conversations', edited));
  tabs?.postMessage({ changed: edited } satisfies Told);
}

export const setMessage = (id: string, message: Message, keep: boolean): void =>
  change(id, one => ({ ...one, messages: one.messages.map(old => (old.id === message.id ? message : old)) }), keep);

export const rename = (id: string, title: string): void => change(id, one => ({ ...one, title: title.trim() || one.title, named: true }));

function drop(id: string): void {
  conversations.set(conversations.value.filter(one => one.id !== id));
  if (current.value.id === id) current.set({ id: conversations.value[0]?.id ?? '' });
}

export async function remove(id: string): Promise<void> {
  drop(id);
  tabs?.postMessage({ removed: id } satisfies Told);
  await kept(erase('conversations', id));
}

export function search(list: readonly Conversation[], words: string): Conversation[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...list]; // all texts are not gone through each time that a word of an answer comes
  return list.filter(({ title, messages }) => {
    const text = [title, ...messages.map(({ content }) => content)].join('\n').toLowerCase();
    return wanted.every(word => text.includes(word));
  });
}

/** For people and other programs: Markdown, and JSON in the shape of chat requests. */
export function asMarkdown({ title, messages }: Conversation): string {
  const names = { user: 'You', assistant: 'Model', tool: 'Tool' };
  return [`# ${title}`, ...messages.map(({ role, content }) => `## ${names[role]}\n\n${content}`)].join('\n\n') + '\n';
}
