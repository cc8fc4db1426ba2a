// Who may write an entry. Web Locks where the browser has them (they end with their page, whatever happens to it); in
// their place leases in the store, which end by themselves when nobody renews them.
import { cancelled, throwIfAborted } from './error.js';
import { abortable, sleep } from './waiting.js';

export interface Held {
  /** Resolves once others can have it. */
  release(): Promise<void>;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, where somebody else has it. */
  readonly onWait?: () => void;
}

/** A writer holds a name `exclusive`ly, readers share it. */
export type LockMode = 'exclusive' | 'shared';

export interface Locks {
  acquire(name: string, mode: LockMode, options?: LockOptions): Promise<Held>;
  /** Nothing where somebody else has it. */
  tryAcquire(name: string, mode: LockMode): Promise<Held | undefined>;
}

/** What is asked of a LockManager, which the types of Node do not know. */
interface LockKeeper {
  request(
    name: string,
    options: { mode: LockMode; ifAvailable?: boolean; signal?: AbortSignal },
    granted: (lock: unknown) => unknown,
  ): Promise<unknown>;
}

/** Between the pages and workers of an origin. */
export class WebLocks implements Locks {
  constructor(
    private readonly manager: LockKeeper,
    private readonly prefix: string,
  ) {}

  async acquire(name: string, mode: LockMode, { signal, onWait }: LockOptions = {}): Promise<Held> {
    throwIfAborted(signal);
    const free = await this.request(name, { mode, ifAvailable: true });
    if (free !== undefined) return free;
    onWait?.();
    try {
      return (await this.request(name, signal === undefined ? { mode } : { mode, signal }))!;
    } catch (error) {
      throw signal?.aborted ? cancelled() : error;
    }
  }

  tryAcquire(name: string, mode: LockMode): Promise<Held | undefined> {
    return this.request(name, { mode, ifAvailable: true });
  }

  private request(name: string, options: Parameters<LockKeeper['request']>[1]): Promise<Held | undefined> {
    return new Promise((resolve, reject) => {
      const over = this.manager.request(this.prefix + name, options, lock => {
        if (lock === null) return resolve(undefined);
        return new Promise<void>(end =>
          resolve({
            release: async () => {
              end();
              await over;
            },
          }),
        );
      });
      over.catch(reject);
    });
  }
}

interface Waiting {
  readonly mode: LockMode;
  readonly grant: (held: Held) => void;
}

/**
 * Within one process, in the order of asking, as Web Locks are: a writer who becomes a reader does not overtake the
 * next writer.
 */
export class LocalLocks implements Locks {
  private readonly names = new Map<string, { exclusive: boolean; holders: number; queue: Waiting[] }>();

  async acquire(name: string, mode: LockMode, { signal, onWait }: LockOptions = {}): Promise<Held> {
    throwIfAborted(signal);
    const held = this.takeNow(name, mode);
    if (held !== undefined) return held;
    onWait?.();
    const { queue } = this.names.get(name)!;
    let waiting!: Waiting;
    let granted: Held | undefined;
    const turn = new Promise<Held>(resolve => {
      waiting = { mode, grant: given => resolve((granted = given)) };
      queue.push(waiting);
    });
    try {
      return await abortable(turn, signal);
    } catch (error) {
      if (queue.includes(waiting)) queue.splice(queue.indexOf(waiting), 1);
      await granted?.release();
      throw error;
    }
  }

  tryAcquire(name: string, mode: LockMode): Promise<Held | undefined> {
    return Promise.resolve(this.takeNow(name, mode));
  }

  private takeNow(name: string, mode: LockMode): Held | undefined {
    let lock = this.names.get(name);
    if (lock === undefined) this.names.set(name, (lock = { exclusive: false, holders: 0, queue: [] }));
    if (lock.queue.length > 0 || (lock.holders > 0 && (lock.exclusive || mode === 'exclusive'))) return undefined;
    return this.hold(name, mode);
  }

  private hold(name: string, mode: LockMode): Held {
    const lock = this.names.get(name)!;
    lock.exclusive = mode === 'exclusive';
    ++lock.holders;
    let isHeld = true;
    return {
      release: async () => {
        if (!isHeld) return;
        isHeld = false;
        --lock.holders;
        this.grantNext(name);
      },
    };
  }

  private grantNext(name: string): void {
    const lock = this.names.get(name)!;
    for (;;) {
      const next = lock.queue[0];
      if (next === undefined || (lock.holders > 0 && (lock.exclusive || next.mode === 'exclusive'))) break;
      lock.queue.shift();
      next.grant(this.hold(name, next.mode));
    }
    if (lock.holders === 0 && lock.queue.length === 0) this.names.delete(name);
  }
}

/** Records of who has what until when, which several processes see. */
export interface Leases {
  /** True where `owner` has it now: it was free, its time was over, or `owner` had it already. */
  take(name: string, owner: string, until: number): Promise<boolean>;
  drop(name: string, owner: string): Promise<void>;
}

/**
 * Only writers are kept apart: a reader waits until nobody writes, and then holds nothing. A reader whose pieces are
 * taken away meanwhile finds them missing, which is an error that it knows.
 */
export class LeaseLocks implements Locks {
  private readonly local = new LocalLocks();

  constructor(
    private readonly leases: Leases,
    private readonly duration = 30_000,
  ) {}

  async acquire(name: string, mode: LockMode, options: LockOptions = {}): Promise<Held> {
    let said = false;
    const onWait = () => {
      if (!said) options.onWait?.();
      said = true;
    };
    const here = await this.local.acquire(name, mode, { ...options, onWait });
    try {
      for (;;) {
        const held = await this.take(name, mode, here);
        if (held !== undefined) return held;
        onWait();
        await sleep(Math.min(100, this.duration / 10), options.signal);
      }
    } catch (error) {
      await here.release();
      throw error;
    }
  }

  async tryAcquire(name: string, mode: LockMode): Promise<Held | undefined> {
    const here = await this.local.tryAcquire(name, mode);
    if (here === undefined) return undefined;
    let held: Held | undefined;
    try {
      held = await this.take(name, mode, here);
    } finally {
      if (held === undefined) await here.release();
    }
    return held;
  }

  private async take(name: string, mode: LockMode, here: Held): Promise<Held | undefined> {
    const owner = Math.random().toString(36).slice(2) + Date.now().toString(36);
    if (!(await this.leases.take(name, owner, Date.now() + this.duration))) return undefined;
    if (mode === 'shared') {
      await this.leases.drop(name, owner);
      return here;
    }
    const renewal = setInterval(
      () => void this.leases.take(name, owner, Date.now() + this.duration).catch(() => {}),
      this.duration / 3,
    );
    // Node should end although a lock is held.
    (renewal as { unref?: () => void }).unref?.();
    return {
      release: async () => {
        clearInterval(renewal);
        await this.leases.drop(name, owner).catch(() => {});
        await here.release();
      },
    };
  }
}
