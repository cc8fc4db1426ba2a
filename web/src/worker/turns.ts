// Lets messages in between two steps. Timers would do, but browsers slow them down in tabs that are not seen.

/** Of Node, where a port hands over up to a thousand messages of its own before another port has its turn. */
const { setImmediate } = globalThis as { setImmediate?: (go: () => void) => unknown };

export class Turns {
  readonly #channel = setImmediate ? undefined : new MessageChannel();
  #go: (() => void) | undefined;

  constructor() {
    if (this.#channel) this.#channel.port1.onmessage = () => this.#take();
  }

  /** Resolves once everything that waits in the event loop now had its turn. One caller at a time. */
  next(): Promise<void> {
    return new Promise(resolve => {
      this.#go = resolve;
      if (this.#channel) this.#channel.port2.postMessage(0);
      else setImmediate?.(() => this.#take());
    });
  }

  close(): void {
    this.#channel?.port1.close();
  }

  #take(): void {
    const go = this.#go;
    this.#go = undefined;
    go?.();
  }
}
