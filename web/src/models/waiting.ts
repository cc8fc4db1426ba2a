// Waiting that ends with its AbortSignal.
import { cancelled, ModelError, throwIfAborted } from './error.js';

/** Rejects with `cancelled` where the signal comes first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled());
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const slept = new Promise<void>(resolve => {
    timer = setTimeout(resolve, milliseconds);
  });
  return abortable(slept, signal).finally(() => clearTimeout(timer));
}

/** Runs `use` with a signal that also comes after `milliseconds`. */
export async function withTimeout<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  use: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(
    () => controller.abort(new ModelError('io', `nothing came for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await use(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

/** Runs one task after the other. */
export class Queue {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task, task);
    this.last = result.catch(() => undefined);
    return result;
  }
}
