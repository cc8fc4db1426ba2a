// A small WebDriver client (w3.org/TR/webdriver2), for the one engine that is driven by nothing else: WebKitGTK's MiniBrowser. Its tabs
// have what the harness uses of Playwright's and puppeteer's: goto, evaluate, on and close. WEBKIT names another executable.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const MINI_BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const POLL = 20; // ms

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

async function freePort() {
  const server = createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function ask(url, method, body) {
  const answer = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

class Tab {
  constructor(session, handle, inTurn) {
    Object.assign(this, { session, handle, inTurn });
  }

  // A session looks at one tab at a time.
  #here(path, body, method = 'POST') {
    return this.inTurn(async () => {
      await ask(`${this.session}/window`, 'POST', { handle: this.handle });
      return ask(`${this.session}${path}`, method, body);
    });
  }

  async goto(url) {
    await this.#here('/url', { url });
  }

  // The page works while others are asked: a script that waits would keep the whole session waiting.
  async evaluate(use, argument) {
    const id = await this.#here('/execute/sync', {
      script: `const results = window.evaluated ??= []; const id = results.length; results.push(undefined);
        Promise.resolve().then(() => (${use})(arguments[0])).then(value => { results[id] = { value }; },
          error => { results[id] = { error: String(error?.message ?? error) }; });
        return id;`,
      args: [argument ?? null],
    });
    for (;;) {
      const result = await this.#here('/execute/sync', { script: 'return window.evaluated[arguments[0]] ?? null;', args: [id] });
      if (result?.error !== undefined) throw new Error(result.error);
      if (result !== null) return result.value;
      await sleep(POLL);
    }
  }

  on() {} // its console is not told

  async close() {
    await this.#here('/window', undefined, 'DELETE');
  }
}

/** @returns {Promise<{newPage(): Promise<object>, close(): Promise<void>}>} tabs of one profile, on a display of their own */
export async function openWebKit() {
  const port = await freePort();
  const driver = spawn('xvfb-run', ['-a', 'WebKitWebDriver', `--port=${port}`],
    { env: { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' }, stdio: 'ignore', detached: true });
  const url = `http://127.0.0.1:${port}`;
  const stop = () => process.kill(-driver.pid);
  try {
    for (let tries = 0; ; ++tries) {
      if (await ask(`${url}/status`, 'GET').then(() => true, () => false)) break;
      if (tries === 250) throw new Error('WebKitWebDriver does not start');
      await sleep(POLL);
    }
    const { sessionId } = await ask(`${url}/session`, 'POST', { capabilities: { alwaysMatch: {
      'webkitgtk:browserOptions': { binary: process.env.WEBKIT ?? MINI_BROWSER, args: ['--automation'] } } } });
    const session = `${url}/session/${sessionId}`;
    await ask(`${session}/timeouts`, 'POST', { script: 60_000, pageLoad: 60_000 });
    let last = Promise.resolve();
    const inTurn = task => (last = last.then(task, task));
    const home = await ask(`${session}/window`, 'GET'); // stays open: new tabs are asked of a tab
    return {
      newPage: () => inTurn(async () => {
        await ask(`${session}/window`, 'POST', { handle: home });
        const { handle } = await ask(`${session}/window/new`, 'POST', { type: 'tab' });
        return new Tab(session, handle, inTurn);
      }),
      async close() {
        await inTurn(() => ask(session, 'DELETE')).catch(() => {});
        stop();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
