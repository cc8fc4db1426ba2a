// Listening to an AbortSignal. Node takes more than ten listeners of one signal for a leak, and a reader waits for as many
// pieces as it reads ahead: however many wait for a signal, it has one listener, and none where nobody waits.

interface Listener {
  readonly stops: Set<() => void>;
  readonly tell: () => void;
}

const listeners = new WeakMap<AbortSignal, Listener>();

/** Calls `stop` when the signal comes, at once where it came already; what is given back forgets it. */
export function onAbort(signal: AbortSignal, stop: () => void): () => void {
  if (signal.aborted) {
    stop();
    return () => {};
  }
  const listener = listeners.get(signal) ?? listen(signal);
  const mine = (): void => stop(); // the same function may wait twice
  listener.stops.add(mine);
  return () => {
    if (!listener.stops.delete(mine) || listener.stops.size > 0) return;
    signal.removeEventListener('abort', listener.tell);
    listeners.delete(signal);
  };
}

function listen(signal: AbortSignal): Listener {
  const stops = new Set<() => void>();
  const tell = (): void => {
    listeners.delete(signal);
    // Who is forgotten meanwhile is not called.
    for (const stop of stops) {
      stops.delete(stop);
      stop();
    }
  };
  const listener = { stops, tell };
  listeners.set(signal, listener);
  signal.addEventListener('abort', tell, { once: true });
  return listener;
}
