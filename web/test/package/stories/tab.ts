// A tab of a browser, and the commands that it takes (page.mjs).
import type { EngineInfo } from '../../../src/protocol.js';

export interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<Arg, R>(use: (argument: Arg) => R, argument: Arg): Promise<Awaited<R>>;
  close(): Promise<void>;
  on(event: 'console', use: (message: { text(): string }) => void): void;
  /** Playwright's. */
  workers?(): { url(): string; evaluate<R>(use: () => R): Promise<R> }[];
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

export interface Loaded {
  info: EngineInfo;
  phases: string[];
  remarks: string[];
  fromCache: number;
  received: number;
}

/** What a command gives, or how it failed. */
export interface Outcome<T> {
  value?: T;
  error?: { code: string; message: string };
}

export class Tab {
  private constructor(readonly page: Page) {}

  /** `query` of the page's address (page.mjs). */
  static async open(browser: Browser, url: string, query = ''): Promise<Tab> {
    const page = await browser.newPage();
    page.on('console', message => {
      // A browser tells of every answer of a server that is no success.
      if (!message.text().startsWith('Failed to load resource')) console.error(`  ${message.text()}`);
    });
    await page.goto(`${url}/story.html${query}`);
    await page.evaluate(async () => {
      while (!('call' in globalThis)) await new Promise(resolve => setTimeout(resolve, 5));
    }, undefined);
    return new Tab(page);
  }

  async outcome<T>(command: string, argument?: object): Promise<Outcome<T>> {
    return this.page.evaluate(([name, value]: [string, object | undefined]) =>
      (globalThis as unknown as { call(what: [string, object | undefined]): Promise<Outcome<T>> }).call([name, value]),
    [command, argument] as [string, object | undefined]);
  }

  async call<T>(command: string, argument?: object): Promise<T> {
    const { value, error } = await this.outcome<T>(command, argument);
    if (error) throw new Error(`${command}: ${error.code}: ${error.message}`);
    return value as T;
  }

  load(options: object): Promise<Loaded> {
    return this.call('load', options);
  }

  chat(request: object = {}): Promise<string> {
    return this.call('chat', request);
  }

  /** Ends the engine's worker, as a browser does that has no memory left. */
  async killWorker(): Promise<void> {
    const worker = this.page.workers?.().find(one => one.url().endsWith('/worker.js'));
    if (!worker) throw new Error('this tab has no worker');
    await worker.evaluate(() => globalThis.close());
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
export function expectEqual(got: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}
/** The error of a command that has to fail. */
export function expectError({ value, error }: Outcome<unknown>, ...codes: string[]): string {
  if (!error) throw new Error(`gave ${JSON.stringify(value)} instead of ${codes.join(' or ')}`);
  if (!codes.includes(error.code)) throw new Error(`failed with ${error.code} (${error.message}) instead of ${codes.join(' or ')}`);
  return error.message;
}
