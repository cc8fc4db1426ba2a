// Lets messages in between two steps. Timers would do, but browsers slow them down in tabs that are not seen.

export class Turns {
  readonly #channel = new MessageChannel();
  #go: (() => void) | undefined;

  constructor() {
    this.#channel.port1.onmessage = () => {
      const go = this.#go;
      this.#go = undefined;
      go?.();
    };
  }

  /** Resolves once everything that waits in the event loop now had its turn. One caller at a time. */
  next(): Promise<void> {
    return new Promise(resolve => {
      this.#go = resolve;
      this.#channel.port2.postMessage(0);
    });
  }

  close(): void {
    this.#channel.port1.close();
  }
}
