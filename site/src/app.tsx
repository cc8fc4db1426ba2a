// The frame: what page is shown, and what runs.
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';

import { engine } from './engine.js';
import { update, updateReady } from './offline/service.js';
import { Store, useStore } from './store.js';
import { nextTheme, theme } from './theme.js';
import { Benchmark } from './views/benchmark.js';
import { Chat } from './views/chat.js';
import { DialogPlace } from './views/dialog.js';
import { Icon } from './views/icon.js';
import { Models } from './views/models.js';
import { Profiler } from './views/profiler.js';

const PAGES = { chat: 'Chat', models: 'Models', benchmark: 'Benchmark', profiler: 'Profiler' } as const;
type Page = keyof typeof PAGES;
const VIEWS: Record<Page, () => JSX.Element> = { chat: Chat, models: Models, benchmark: Benchmark, profiler: Profiler };

const pageOf = (hash: string): Page => (Object.hasOwn(PAGES, hash.slice(1)) ? (hash.slice(1) as Page) : 'chat');
const page = new Store<Page>(pageOf(location.hash));
window.addEventListener('hashchange', () => page.set(pageOf(location.hash)));

function Status(): JSX.Element {
  const { phase, label, info, progress } = useStore(engine);
  const share = progress && progress.total > 0 ? ` ${Math.floor((100 * progress.loaded) / progress.total)} %` : '';
  const text = phase === 'ready' ? `${label} · ${info?.device === 'gpu' ? 'GPU' : 'CPU'}` : phase === 'loading' ? `Loading${share}` : phase === 'paused' ? 'Paused'
    : phase === 'failed' ? 'Not loaded' : 'No model';
  return (
    <a class={`status ${phase}`} href="#models" title={info?.executor ?? text}>
      <span class="dot" aria-hidden="true" />
      <span class="status-text">{text}</span>
    </a>
  );
}

export function App(): JSX.Element {
  const shown = useStore(page);
  const chosen = useStore(theme);
  const isUpdateReady = useStore(updateReady);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = shown === 'chat' ? 'wisp' : `${PAGES[shown]} · wisp`;
    // Whoever goes by keyboard or ear is taken to the new page.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [shown]);
  const View = VIEWS[shown];
  return (
    <>
      <a class="skip" href="#main" onClick={event => { event.preventDefault(); main.current?.focus(); }}>Skip to content</a>
      <header class="top">
        <span class="brand"><Icon name="wisp" />wisp</span>
        <nav aria-label="Pages">
          {(Object.keys(PAGES) as Page[]).map(name => (
            <a key={name} href={`#${name}`} aria-current={name === shown ? 'page' : undefined}><Icon name={name} /><span>{PAGES[name]}</span></a>
          ))}
        </nav>
        <Status />
        <button type="button" class="icon" onClick={nextTheme} aria-label={`Theme: ${chosen}. Change it`} title={`Theme: ${chosen}`}>
          <Icon name={chosen === 'auto' ? 'auto' : chosen === 'dark' ? 'moon' : 'sun'} />
        </button>
      </header>
      {isUpdateReady && (
        <div class="banner" role="status">
          A new version is here. <button type="button" class="quiet" onClick={() => void update()}>Reload</button>
        </div>
      )}
      <main id="main" ref={main} tabIndex={-1} class={shown}><View /></main>
      <DialogPlace />
    </>
  );
}
