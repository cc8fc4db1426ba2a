// The caller's end of the line to the engine's worker: calls that answer once, generations that stream, and the worker's
// end, which ends them all.
import { onAbort } from '../models/on_abort.js';
import type { EngineWorker } from '../platform/engine_worker.js';
import type { Delta, EngineInfo, FromWorker, GenerateSettings, LoadProgress, Methods } from '../protocol.js';
import { errorFrom, WispError } from './errors.js';

export interface CallHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onRemark?: ((text: string) => void) | undefined;
}

const FAREWELL_MILLISECONDS = 5000;

export type Question = Extract<FromWorker, { type: 'ask' }>['request'];

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  hooks: CallHooks;
  deltas?: (deltas: Delta[]) => void;
  forget: () => void;
}

export class WorkerLine {
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #death: WispError | undefined;

  /** The worker asks which stored models may go; ids, 'do not keep', or nothing. */
  onMakeRoom: (request: Question) => Promise<readonly string[] | 'do not keep' | undefined> = async () => undefined;
  /** What runs has changed by itself, and why. */
  onChange: (info: EngineInfo, remark: string) => void = () => {};

  constructor(readonly worker: EngineWorker) {
    worker.onmessage = message => this.#take(message as FromWorker);
    worker.ondeath = reason => this.end(new WispError('worker_died', `the engine's worker ended: ${reason}; restart() starts it again`));
  }

  get death(): WispError | undefined {
    return this.#death;
  }

  call<M extends keyof Methods>(method: M, args: Parameters<Methods[M]>, hooks: CallHooks = {}): Promise<ReturnType<Methods[M]>> {
    return this.#begin<ReturnType<Methods[M]>>(hooks, undefined, id => ({ type: 'call', id, method, args }));
  }

  /** Rejects when an answer fails; otherwise nothing but `deltas` tells. Ends with `done`. */
  generate(settings: GenerateSettings, signal: AbortSignal | undefined, deltas: (deltas: Delta[]) => void): { failed: Promise<never>; cancel(): unknown; done(): void } {
    let id = 0;
    const failed = this.#begin<never>({ signal }, deltas, made => {
      id = made;
      return { type: 'generate', id, settings };
    });
    failed.catch(() => {}); // whoever waits hears of it
    return {
      failed,
      // Also when it has failed: of several answers others may go on.
      cancel: () => this.#death === undefined && this.worker.post({ type: 'cancel', id }),
      done: () => this.#settle(id),
    };
  }

  /** Rejects everything that waits, and every call from now on; stops the worker. */
  end(error: WispError): void {
    this.#death ??= error;
    this.worker.stop();
    this.#rejectAll(this.#death);
  }

  /** The same; before it is stopped, the worker gives back what it holds. */
  async finish(error: WispError): Promise<void> {
    if (this.#death) return;
    const unloaded = this.call('unload', []).catch(() => {});
    this.#death = error;
    this.#rejectAll(error, this.#last);
    // A worker that hangs is stopped all the same.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, FAREWELL_MILLISECONDS);
    });
    await Promise.race([unloaded, late]);
    clearTimeout(timer);
    this.worker.stop();
  }

  #rejectAll(error: WispError, but?: number): void {
    for (const id of [...this.#pending.keys()]) if (id !== but) this.#settle(id)?.reject(error);
  }

  #begin<T>(hooks: CallHooks, deltas: Pending['deltas'], message: (id: number) => object): Promise<T> {
    if (this.#death) return Promise.reject(this.#death);
    const { signal } = hooks;
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        this.worker.post({ type: 'cancel', id });
        this.#settle(id)?.reject(abortReason(signal!));
      };
      const forget = signal && onAbort(signal, abort);
      this.#pending.set(id, {
        resolve: resolve as (value: unknown) => void, reject, hooks, ...(deltas && { deltas }),
        forget: () => forget?.(),
      });
      try {
        this.worker.post(message(id));
      } catch (error) {
        this.#settle(id)?.reject(new WispError('invalid_argument', `a value cannot be sent to the worker: ${(error as Error).message}`));
      }
    });
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.forget();
    return pending;
  }

  #take(message: FromWorker): void {
    if (message.type === 'changed') return this.onChange(message.info, message.remark);
    if (message.type === 'ask') {
      void this.onMakeRoom(message.request).then(
        value => this.worker.post({ type: 'answer', question: message.question, value }),
        (error: unknown) => this.worker.post({ type: 'answer', question: message.question, error: { code: 'quota', message: String(error) } }));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return; // cancelled meanwhile
    switch (message.type) {
      case 'result': this.#settle(message.id)?.resolve(message.value); break;
      case 'failure': this.#settle(message.id)?.reject(errorFrom(message.error)); break;
      case 'deltas': pending.deltas?.(message.deltas); break;
      case 'progress': pending.hooks.onProgress?.(message.progress); break;
      case 'remark': pending.hooks.onRemark?.(message.text); break;
    }
  }
}

// As `fetch` does: what was given to abort(), also where that is no error.
function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new DOMException('the call was aborted', 'AbortError');
}
