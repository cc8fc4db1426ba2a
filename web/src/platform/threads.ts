// The threads of a module are workers that the caller's thread starts, ordered by the engine's worker, and for two reasons.
// Firefox may hang for good where a worker starts another: the one that starts and the one that idles wait at one condition
// variable, which is notified once (dom/workers/WorkerPrivate.h, SetIsDebuggerRegistered; measured with version 153: of a page
// that is busy a third of the time after 4, 63 and 96 starts). And while an engine computes, its worker waits for its threads without returning to its event loop: of one that
// traps or is gone it would never hear, where the caller's thread does and can end the worker.
import type { ThreadPlace, ThreadStart } from '../module/module.js';
import type { Thread } from './platform.js';

/**
 * What the caller's thread hands on to a thread. On the port its ThreadPlace waits: if the caller's thread read that, its heap would hold
 * the module's memory until it collects garbage, which may be never. The module does not come so: in Chromium it would be compiled again.
 */
export interface ThreadSeed {
  module: WebAssembly.Module;
  port: MessagePort;
}
/** From the engine's worker to whoever started it, beside the messages of protocol.ts. */
export type ThreadOrder = { type: 'start thread'; thread: number; seed: ThreadSeed } | { type: 'stop thread'; thread: number };
/** And back. */
export type ThreadNews = { type: 'thread runs'; thread: number } | { type: 'thread refused'; thread: number; reason: string };

/** What is heard of a thread: it runs; it ended as it was asked to; it failed; it ended without a word. */
export type ThreadWord = { type: 'runs' } | { type: 'done' } | { type: 'failed'; reason: string } | { type: 'gone' };

/** Starts the worker of a thread, and gives what ends it. Throws where there can be none. */
export type ThreadStarter = (seed: ThreadSeed, hear: (word: ThreadWord) => void) => () => void;

/** The end of the caller's thread. */
export class Threads {
  readonly #stops = new Map<number, () => void>();
  #isOver = false;

  /** `broke` hears of a thread that ran and no longer does. */
  constructor(readonly begin: ThreadStarter, readonly tell: (news: ThreadNews) => void, readonly broke: (reason: string) => void) {}

  /** Whether the message was for it. */
  take(message: unknown): boolean {
    const type = (message as { type?: string } | null)?.type;
    if (type !== 'start thread' && type !== 'stop thread') return false;
    const order = message as ThreadOrder;
    if (order.type === 'start thread') this.#start(order);
    else this.#stop(order.thread);
    return true;
  }

  /** Ends them all; orders that are still under way start none. */
  stop(): void {
    this.#isOver = true;
    for (const thread of [...this.#stops.keys()]) this.#stop(thread);
  }

  #start({ thread, seed }: Extract<ThreadOrder, { type: 'start thread' }>): void {
    if (this.#isOver) return;
    let runs = false;
    const hear = (word: ThreadWord): void => {
      if (!this.#stops.has(thread)) return; // it was asked to end
      if (word.type === 'runs') {
        runs = true;
        return this.tell({ type: 'thread runs', thread });
      }
      this.#stop(thread);
      if (word.type === 'done') return;
      if (!runs) this.tell({ type: 'thread refused', thread, reason: word.type === 'failed' ? word.reason : 'a thread ended before it ran' });
      else this.broke(word.type === 'failed' ? `one of its threads broke: ${word.reason}` : 'one of its threads is gone');
    };
    try {
      this.#stops.set(thread, this.begin(seed, hear));
    } catch (error) {
      this.tell({ type: 'thread refused', thread, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  #stop(thread: number): void {
    const stop = this.#stops.get(thread);
    this.#stops.delete(thread);
    stop?.();
  }
}

/** The end of the engine's worker. */
export class ThreadOrders {
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #last = 0;

  constructor(readonly post: (order: ThreadOrder, transfer: MessagePort[]) => void) {}

  /** Whether the message was for it. */
  take(message: unknown): boolean {
    const type = (message as { type?: string } | null)?.type;
    if (type !== 'thread runs' && type !== 'thread refused') return false;
    const news = message as ThreadNews;
    const waits = this.#waiting.get(news.thread);
    this.#waiting.delete(news.thread);
    if (news.type === 'thread runs') waits?.resolve();
    else waits?.reject(new Error(news.reason));
    return true;
  }

  start({ module, ...place }: ThreadStart): Thread {
    const thread = ++this.#last;
    const ready = new Promise<void>((resolve, reject) => this.#waiting.set(thread, { resolve, reject }));
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(place satisfies ThreadPlace);
    this.post({ type: 'start thread', thread, seed: { module, port: port2 } }, [port2]);
    return {
      ready,
      stop: () => {
        this.#waiting.delete(thread);
        this.post({ type: 'stop thread', thread }, []);
        port1.close();
      },
    };
  }
}
