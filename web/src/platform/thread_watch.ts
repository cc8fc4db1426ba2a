// While an engine computes, its worker waits for its threads without returning to its event loop: of a thread that traps or
// is gone it would never hear. So each has a port to the page, which ends the worker then.

/** From the engine's worker to the page, beside the messages of protocol.ts. */
export type ThreadNews =
  /** A message on `port` is the reason for which it broke; `life`: of life.ts, in a browser. */
  | { type: 'thread began'; thread: number; port: MessagePort; life?: string }
  /** It was asked to. */
  | { type: 'thread ended'; thread: number };
export type ThreadBegan = Extract<ThreadNews, { type: 'thread began' }>;

// The word that a thread was asked to end may come after the news that it is gone.
const LATE_WORD_MILLISECONDS = 1000;

export class ThreadWatch {
  readonly #threads = new Map<number, AbortController>();

  /** `onGone` waits for a thread's end, however it comes, until the signal. */
  constructor(readonly broke: (reason: string) => void,
              readonly onGone: (thread: ThreadBegan, signal: AbortSignal, gone: () => void) => void) {}

  /** Whether the message was for it. */
  take(message: unknown): boolean {
    const news = message as Partial<ThreadNews> | null;
    if (news?.type === 'thread began') this.#begin(news as ThreadBegan);
    else if (news?.type === 'thread ended') this.#end(news.thread!);
    else return false;
    return true;
  }

  close(): void {
    for (const thread of [...this.#threads.keys()]) this.#end(thread);
  }

  #begin(began: ThreadBegan): void {
    const over = new AbortController();
    this.#threads.set(began.thread, over);
    began.port.onmessage = ({ data }: MessageEvent<string>) => this.broke(`one of its threads broke: ${data}`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    over.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      began.port.close();
    }, { once: true });
    this.onGone(began, over.signal, () => {
      if (over.signal.aborted) return;
      timer = setTimeout(() => this.broke('one of its threads is gone'), LATE_WORD_MILLISECONDS);
    });
  }

  #end(thread: number): void {
    this.#threads.get(thread)?.abort();
    this.#threads.delete(thread);
  }
}
