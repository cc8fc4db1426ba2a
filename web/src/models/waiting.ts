// Waiting that ends with its AbortSignal.
import { cancelled, ModelError, throwIfAborted } from './error.js';
import { onAbort } from './on_abort.js';

/** Rejects with `cancelled` where the signal comes first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(cancelled()));
    void promise.then(resolve, reject).finally(forget);
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
  const timer = setTimeout(
    () => controller.abort(new ModelError('io', `nothing came for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  const forget = signal && onAbort(signal, () => controller.abort());
  try {
    return await use(controller.signal);
  } finally {
    clearTimeout(timer);
    forget?.();
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
