// The chat: conversations at the side, the open one in the middle, settings at the other side.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { answering, send, stopAnswer } from '../data/answer.js';
import { conversations, current, currentConversation, keepingProblem, startConversation, type Conversation } from '../data/conversations.js';
import { engine, lastModel, loadModel, SHIPPED } from '../engine.js';
import { Store, useStore } from '../store.js';
import { AnswerSettings } from './answer_settings.js';
import { Composer } from './composer.js';
import { ConversationList } from './conversation_list.js';
import { FirstRun } from './first_run.js';
import { IconButton } from './icon.js';
import { MessageView } from './message.js';
import { ModelMenu } from './model_menu.js';
import { LoadingCard, loadShipped } from './progress.js';

// As in the style sheet: on narrow screens the list of chats is shown when it is asked for, on wide ones until it is sent away.
function mediaStore(query: string): Store<boolean> {
  const list = matchMedia(query);
  const store = new Store(list.matches);
  list.addEventListener('change', ({ matches }) => store.set(matches));
  return store;
}
const narrow = mediaStore('(max-width: 46rem)');
/** The settings lie over the conversation. */
const crowded = mediaStore('(max-width: 62rem)');

const IDEAS = ['Tell me a story about a dog and a balloon.', 'Tell me a story about the sea.', 'Who are you?'];

function Messages({ conversation, isComing, mayAsk }: { conversation: Conversation; isComing: boolean; mayAsk: boolean }): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const { messages } = conversation;
  // Follows the answer, unless the user has scrolled away from the end.
  useLayoutEffect(() => {
    follows.current = true;
  }, [conversation.id, messages.length]);
  useLayoutEffect(() => {
    const element = list.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  });
  const results = messages.filter(({ role }) => role === 'tool');
  return (
    <div class="messages" ref={list} tabIndex={0} role="log" aria-label="Conversation" aria-live="off"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => { follows.current = scrollHeight - scrollTop - clientHeight < 60; }}>
      {messages.filter(({ role }) => role !== 'tool').map((message, index, shown) => (
        <MessageView key={message.id} conversation={conversation.id} message={message} results={results}
          isComing={isComing && index + 1 === shown.length && message.role === 'assistant'} mayAsk={mayAsk} onAsked={() => list.current?.focus()} />
      ))}
      <p class="hidden" role="status">{isComing ? '' : messages.at(-1)?.role === 'assistant' ? 'The answer is complete.' : ''}</p>
    </div>
  );
}

/** Under a conversation of an earlier visit. */
function Reload(): JSX.Element {
  const { source, label } = useStore(lastModel);
  return (
    <div class="row">
      <button type="button" class="main" onClick={() => void (source === '' ? loadShipped() : loadModel(source, label))}>Load {source === '' ? SHIPPED.label : label || source}</button>
      <a href="#models">Another model</a>
    </div>
  );
}

export function Chat(): JSX.Element {
  const { phase } = useStore(engine);
  useStore(conversations);
  useStore(current);
  const coming = useStore(answering);
  const notKept = useStore(keepingProblem);
  const isNarrow = useStore(narrow);
  const isCrowded = useStore(crowded);
  const [side, setSide] = useState<'' | 'list' | 'settings'>('');
  const open = currentConversation();
  const isComing = open !== undefined && coming.has(open.id);
  const isReady = phase === 'ready';
  const isEmpty = !open || open.messages.length === 0;
  const say = (text: string): void => void send((open ?? startConversation()).id, text);
  const openers = { list: useRef<HTMLButtonElement>(null), settings: useRef<HTMLButtonElement>(null) };
  const closers = { list: useRef<HTMLButtonElement>(null), settings: useRef<HTMLButtonElement>(null) };
  const isCovered = side === 'list' ? isNarrow : side === 'settings' && isCrowded;
  // A pane that covers the conversation takes the focus, and one that is closed gives it back to what opened it.
  const goesBack = useRef<'' | 'list' | 'settings'>('');
  useLayoutEffect(() => {
    if (side !== '' && isCovered) closers[side].current?.focus();
    if (side === '' && goesBack.current !== '') openers[goesBack.current].current?.focus();
    goesBack.current = '';
  }, [side, isCovered]);
  const close = (): void => {
    goesBack.current = side;
    setSide('');
  };
  return (
    <div class={`panes ${side}`} onClick={event => { if (isCovered && event.target === event.currentTarget) close(); }} onKeyDown={event => {
      if (event.key !== 'Escape') return;
      if (open && isComing) stopAnswer(open.id);
      else close();
    }}>
      <aside class="list" aria-label="Chats">
        <IconButton ref={closers.list} name="close" label="Close the list" class="icon narrow" onClick={close} />
        <ConversationList onChosen={() => { if (side === 'list') close(); }} />
      </aside>
      <div class="middle" inert={isCovered}>
        <div class="bar">
          <IconButton ref={openers.list} name="list" label="Chats" aria-expanded={(side === 'list') === isNarrow} onClick={() => setSide(side === 'list' ? '' : 'list')} />
          <h1 dir="auto" class={isEmpty ? 'hidden' : ''}>{open?.title ?? 'Chat'}</h1>
          <ModelMenu />
          <IconButton ref={openers.settings} name="settings" label="Settings" aria-expanded={side === 'settings'} onClick={() => setSide(side === 'settings' ? '' : 'settings')} />
        </div>
        {isEmpty && !isReady ? <div class="scroll"><FirstRun /></div> : isEmpty ? (
          <div class="scroll ideas">
            <p class="lead">What shall it be?</p>
            {IDEAS.map(idea => <button key={idea} type="button" onClick={() => say(idea)}>{idea}</button>)}
          </div>
        ) : <Messages conversation={open} isComing={isComing} mayAsk={isReady && !isComing} />}
        {!isEmpty && !isReady && <div class="under">{phase === 'empty' ? <Reload /> : <LoadingCard />}</div>}
        {notKept !== '' && <p class="under error" role="alert">Chats are not kept now: {notKept}.</p>}
        {(isReady || !isEmpty) && (
          <Composer isReady={isReady} isComing={isComing} placeholder={isReady ? 'Write a message' : 'No model is loaded'}
            onSend={say} onStop={() => open && stopAnswer(open.id)} />
        )}
      </div>
      <aside class="settings-pane" aria-label="Settings" hidden={side !== 'settings'}>
        <div class="row"><h2>Settings</h2><IconButton ref={closers.settings} name="close" label="Close the settings" onClick={close} /></div>
        <AnswerSettings />
      </aside>
    </div>
  );
}
