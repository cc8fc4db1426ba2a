// An answer while it comes: an async iterable, as the `openai` package has it. Leaving the loop cancels the answer.
import { onAbort } from '../models/on_abort.js';
import type { Delta, GenerateSettings } from '../protocol.js';
import { WispError } from './errors.js';
import type { WorkerLine } from './line.js';

/**
 * An answer while it comes: `for await` reads its pieces, once. Leaving the loop cancels the answer.
 * @category Chat
 * @hideconstructor
 */
export class Stream<T> implements AsyncIterable<T> {
  /** `controller.abort()` ends the answer; the loop then ends, too, without an error. */
  readonly controller = new AbortController();
  readonly #iterate: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>;
  #used = false;

  constructor(iterate: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>) {
    this.#iterate = iterate;
  }

  /** The pieces, as `for await` asks for them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    if (this.#used) throw new WispError('invalid_argument', 'a stream can be read once');
    this.#used = true;
    try {
      yield* this.#iterate(this.controller.signal);
    } catch (error) {
      if (!this.controller.signal.aborted) throw error;
    } finally {
      this.controller.abort();
    }
  }

  /** The pieces as lines of JSON, in UTF-8; cancelling it cancels the answer. In place of the loop. */
  toReadableStream(): ReadableStream<Uint8Array> {
    const iterator = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) return controller.close();
        controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      },
      async cancel() {
        await iterator.return?.();
      },
    });
  }
}

/**
 * What comes of generations that belong together, until all answers are finished; those of the second follow those of the first in number.
 * The answers are cancelled when the caller stops reading.
 */
export async function* deltasOf(line: WorkerLine, generations: GenerateSettings[], signal: AbortSignal | undefined): AsyncGenerator<Delta, void, undefined> {
  const queue: Delta[] = [];
  let wake: () => void = () => {};
  let left = 0;
  const begun = generations.map(settings => {
    const first = left;
    left += settings.n;
    return line.generate(settings, signal, deltas => {
      queue.push(...deltas.map(delta => ({ ...delta, choice: first + delta.choice })));
      wake();
    });
  });
  const failed = Promise.race(begun.map(one => one.failed));
  failed.catch(() => {}); // whoever waits hears of it
  try {
    while (left > 0) {
      if (queue.length === 0) {
        const more = new Promise<void>(resolve => {
          wake = resolve;
        });
        await Promise.race([more, failed]);
      }
      for (const delta of queue.splice(0)) {
        if (delta.finish) left -= 1;
        yield delta;
      }
    }
  } finally {
    for (const { cancel, done } of begun) {
      if (left > 0) cancel();
      done();
    }
  }
}

/** Both, where both are there. */
export function anySignal(first: AbortSignal | undefined, second: AbortSignal): AbortSignal {
  if (!first) return second;
  const either = new AbortController();
  const forgets = [first, second].map(signal => onAbort(signal, () => either.abort(signal.reason)));
  either.signal.addEventListener('abort', () => forgets.forEach(forget => forget()), { once: true });
  return either.signal;
}
