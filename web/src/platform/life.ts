// A browser tells nobody that a worker has crashed. So it holds a lock while it lives, and whoever waits for the lock hears of
// its end.

export const newLife = (): string => `wisp-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** In the worker itself: resolves once it holds the lock, until its end. */
export function live(life: string): Promise<void> {
  const { locks } = globalThis.navigator;
  if (!locks) return Promise.resolve();
  return new Promise(resolve => {
    void locks.request(life, () => {
      resolve();
      return new Promise(() => {});
    }).catch(() => resolve()); // a frame without an origin has no locks
  });
}

/** Elsewhere, for one that lives. The signal ends the waiting. */
export function onEnd(life: string, signal: AbortSignal, ended: () => void): void {
  void globalThis.navigator.locks?.request(life, { signal }, ended).catch(() => {});
}
