// The page's side of the service worker: registers it, lets it isolate the page, and tells of new versions.
import { Store } from '../store.js';

export const updateReady = new Store(false);

const RELOADED = 'wisp-reloaded-for-isolation';
const LONGEST_WAIT = 4000; // ms; without the worker wisp runs too, on one thread

let controlled: Promise<void> = Promise.resolve();

const wait = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds));

function watchForUpdates(registration: ServiceWorkerRegistration): void {
  const check = (worker: ServiceWorker | null): void => {
    if (worker?.state === 'installed' && navigator.serviceWorker.controller) updateReady.set(true);
    worker?.addEventListener('statechange', () => {
      if (worker.state === 'installed' && navigator.serviceWorker.controller) updateReady.set(true);
    });
  };
  check(registration.waiting);
  check(registration.installing);
  registration.addEventListener('updatefound', () => check(registration.installing));
}

/** Resolves to false when the page is about to be loaded again. */
async function start(): Promise<void> {
  const { serviceWorker } = navigator;
  const registration = await serviceWorker.register('./sw.js', { updateViaCache: 'none' });
  watchForUpdates(registration);
  if (!serviceWorker.controller) {
    await Promise.race([new Promise(resolve => serviceWorker.addEventListener('controllerchange', resolve, { once: true })), wait(LONGEST_WAIT)]);
  }
  if (crossOriginIsolated || !serviceWorker.controller) return;
  // The host gave no headers, and this page came before the worker: once more, through the worker. Never twice.
  if (sessionStorage.getItem(RELOADED) !== null) return;
  sessionStorage.setItem(RELOADED, 'yes');
  location.reload();
  await new Promise(() => {});
}

export function startService(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  controlled = start().catch(error => console.warn(`without a service worker: ${error}`));
}

/** Before the first worker of the engine starts: its policy comes from the service worker. */
export const serviceReady = (): Promise<void> => controlled;

async function tell(message: Record<string, unknown>): Promise<void> {
  await controlled;
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return;
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise(resolve => {
    port1.onmessage = resolve;
  });
  worker.postMessage(message, [port2]);
  await Promise.race([answered, wait(LONGEST_WAIT)]);
  port1.close();
}

/** From now on new workers may fetch from this host, which the user named. */
export const allowHost = (address: string): Promise<void> => tell({ type: 'allow', host: address });

/** Keeps the module that this page used, for the next time without a network. */
export const keepModule = (variant: string): Promise<void> => tell({ type: 'keep', name: `wisp/wisp-${variant}.wasm` });

export async function update(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration();
  // Another tab has taken it already: this one only has to follow.
  if (!registration?.waiting) return location.reload();
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
  registration.waiting.postMessage({ type: 'update' });
}
