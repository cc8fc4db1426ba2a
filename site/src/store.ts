// A value that views follow.
import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  get value(): T {
    return this.#value;
  }
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
  /** Changes some fields of an object. */
  patch(fields: Partial<T>): void {
    this.set({ ...this.#value, ...fields });
  }
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, draw] = useState(0);
  useEffect(() => {
    draw(count => count + 1); // it may have changed between the first drawing and now
    return store.subscribe(() => draw(count => count + 1));
  }, [store]);
  return store.value;
}

type Allowed<T> = { [Name in keyof T]?: readonly T[Name][] };

/** The fields of `text` that `initial` has too, in the same shape, and one of the values that are allowed. */
function readAs<T extends object>(initial: T, text: string | null, allowed: Allowed<T>): Partial<T> {
  try {
    const parsed: unknown = JSON.parse(text ?? '{}');
    if (parsed === null || typeof parsed !== 'object') return {};
    return Object.fromEntries(Object.entries(parsed).filter(([name, value]) =>
      name in initial && typeof value === typeof initial[name as keyof T]
      && (allowed[name as keyof T]?.includes(value as T[keyof T]) ?? true))) as Partial<T>;
  } catch {
    return {}; // Unreadable: as if nothing was kept.
  }
}

function readText(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/**
 * As Store, kept in localStorage under `key`. What is kept of another shape is taken for `initial`. What another tab changes is taken
 * here, too, unless each tab has its own (`isOfTab`).
 */
export class KeptStore<T extends object> extends Store<T> {
  constructor(key: string, initial: T, { isOfTab = false, allowed = {} }: { isOfTab?: boolean; allowed?: Allowed<T> } = {}) {
    super({ ...initial, ...readAs(initial, readText(key), allowed) });
    this.subscribe(() => {
      try {
        localStorage.setItem(key, JSON.stringify(this.value));
      } catch {
        // Not kept; it holds for this visit.
      }
    });
    if (isOfTab) return;
    window.addEventListener('storage', ({ key: changed, newValue }) => {
      if (changed === key && newValue !== null) this.patch(readAs(initial, newValue, allowed));
    });
  }
}
