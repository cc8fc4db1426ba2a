// The examples as their users have them: installed, built by their bundlers, and driven in Chromium: node test/package/examples.mjs
// [--report FILE.xml] [NAME...]. What bundlers make of the package is looked at too.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';

import { openBrowser } from '../../harness/browsers.mjs';
import { finish } from '../../harness/report.mjs';
import { serve } from '../../../site/serve.mjs';

const { positionals: names } = parseArgs({ allowPositionals: true, options: { report: { type: 'string' } } });
const root = fileURLToPath(new URL('../../../', import.meta.url));
const examples = join(root, 'examples/web');
const out = join(root, 'build/web/examples');
const MODEL = 'models/wisp-stories.gguf';
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
// The strictest policy that docs/browser-guide.md promises to be enough.
const POLICY = { 'Content-Security-Policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'" };
const ERROR_ALONE_BYTES = 1_000; // of a bundle that wants WispError and nothing else

function check(condition, what) {
  if (!condition) throw new Error(what);
}
const run = (folder, script, ...args) => execFileSync(process.execPath, [join(folder, 'node_modules', script), ...args], { cwd: folder, stdio: 'pipe' });

function install(name) {
  const folder = join(examples, name);
  const made = join(folder, 'node_modules/.package-lock.json');
  if (existsSync(made) && statSync(made).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs) return folder;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: folder, stdio: 'pipe' });
  return folder;
}

const BUILD = { 'vite-react': ['vite/bin/vite.js', 'build', '--logLevel', 'warn'], webpack: ['webpack-cli/bin/cli.js'] };
const built = new Set();

/** An example's folder, installed and built; once a run. */
function buildExample(name) {
  const folder = install(name);
  if (!built.has(name)) run(folder, ...BUILD[name]);
  built.add(name);
  return folder;
}

/** In the page, since answers of a small model end before a click from outside arrives; and tried again, since they may be short. */
async function stopInTime() {
  const [ask, stop] = ['form button:not([name=stop])', '[name=stop]'].map(name => document.querySelector(name));
  const until = async is => {
    while (!is()) await new Promise(resolve => setTimeout(resolve, 1));
  };
  for (let tries = 0; tries < 10; ++tries) {
    ask.click();
    await until(() => !stop.disabled);
    await until(() => stop.disabled || [...document.querySelectorAll('.assistant')].at(-1)?.textContent !== '');
    if (stop.disabled) continue;
    stop.click();
    await until(() => stop.disabled);
    return true;
  }
  return false;
}

/** Opens a page, waits for the model, asks, reads the answer, asks again and stops it. */
async function chat(page, url) {
  const problems = [];
  page.on('pageerror', error => problems.push(error.message));
  page.on('response', answer => answer.status() >= 400 && !answer.url().endsWith('favicon.ico') && problems.push(`${answer.status()} ${answer.url()}`));
  await page.goto(url);
  await page.waitForFunction(() => /^Ready|failed|not |error/i.test(document.querySelector('#state')?.textContent ?? ''), undefined, { timeout: 120_000 });
  const state = await page.textContent('#state');
  check(state.startsWith('Ready'), `it says '${state}'`);
  await page.click('form button:not([name=stop])');
  await page.waitForFunction(() => document.querySelector('[name=stop]').disabled && (document.querySelector('.assistant')?.textContent ?? '').length > 40,
    undefined, { timeout: 60_000 });
  check(await page.evaluate(stopInTime), 'no answer could be stopped');
  check(problems.length === 0, problems.join('; '));
  return state;
}

async function inChromium(work) {
  const { browser, page } = await openBrowser('chromium', false);
  try {
    return await work(page);
  } finally {
    await browser.close();
  }
}

function checkThreads(state, isIsolated) {
  check(/ [2-9]\d* threads/.test(state) === (isIsolated && availableParallelism() > 1), `${isIsolated ? '' : 'not '}isolated it is '${state}'`);
}

/** Serves a folder, chats, and looks at what was fetched. */
async function drive(folder, headers) {
  const asked = [];
  const { url, close } = await serve({ folder, headers, onRequest: path => asked.push(path) });
  try {
    const state = await inChromium(page => chat(page, `${url}/`));
    const modules = asked.filter(path => path.endsWith('.wasm'));
    check(modules.length === 1, `one module is fetched, not ${modules}`);
    checkThreads(state, 'Cross-Origin-Opener-Policy' in headers);
  } finally {
    close();
  }
}

/** Sizes of the scripts that bundlers make of a program that wants an error's class alone; webpack writes workers that nobody asks for, too. */
async function* bundlesOfError() {
  const folder = join(out, 'error');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const entry = join(folder, 'entry.js');
  writeFileSync(entry, `import { WispError } from ${JSON.stringify(join(root, 'web/dist/index.js'))};\nconsole.log(new WispError('io', 'no network').code);\n`);
  await build({ entryPoints: [entry], bundle: true, minify: true, format: 'esm', outfile: `${folder}/esbuild/main.js` });
  yield ['esbuild', statSync(join(folder, 'esbuild/main.js')).size];
  run(join(examples, 'webpack'), 'webpack-cli/bin/cli.js', '--entry-reset', '--entry', entry, '--output-path', join(folder, 'webpack'));
  yield ['webpack', statSync(join(folder, 'webpack/main.js')).size];
}

const cases = {
  async 'vite-react, isolated, under the strictest policy'() {
    const folder = join(buildExample('vite-react'), 'dist');
    const workers = readdirSync(join(folder, 'assets')).filter(file => /^(worker|thread).*\.js$/.test(file));
    check(workers.length === 2, `each worker is built once, not ${workers}`);
    await drive(folder, { ...ISOLATION, ...POLICY });
  },
  async 'vite-react, on one thread'() {
    await drive(join(buildExample('vite-react'), 'dist'), {});
  },
  async 'vite-react, from the development server'() {
    const folder = install('vite-react');
    const { createServer } = await import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve('vite')).href);
    const server = await createServer({ root: folder, configFile: join(folder, 'vite.config.js'), logLevel: 'error', server: { port: 0, host: '127.0.0.1' } });
    try {
      await server.listen();
      const { port } = server.httpServer.address();
      const state = await inChromium(page => chat(page, `http://127.0.0.1:${port}/`));
      checkThreads(state, true);
    } finally {
      await server.close();
    }
  },
  async 'webpack, isolated, under the strictest policy'() {
    await drive(buildExample('webpack'), { ...ISOLATION, ...POLICY });
  },
  async 'webpack, on one thread'() {
    await drive(buildExample('webpack'), {});
  },
  async 'the package from another origin, isolated'() {
    const other = await serve({ folder: join(root, 'web'), headers: { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' } });
    const folder = join(out, 'plain');
    mkdirSync(join(folder, 'models'), { recursive: true });
    cpSync(join(root, MODEL), join(folder, MODEL));
    const html = readFileSync(join(examples, 'plain.html'), 'utf8');
    const moved = html.replace('../../web/dist/index.js', `${other.url}/dist/index.js`).replace('../../models/', 'models/')
      .replace('<pre id="answer"', '<pre id="answer" class="assistant"');
    writeFileSync(join(folder, 'index.html'), moved);
    const own = { 'Content-Security-Policy': `default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' ${other.url}; worker-src blob: ${other.url}; `
      + `connect-src 'self' ${other.url}; style-src 'unsafe-inline'` };
    const { url, close } = await serve({ folder, headers: { ...ISOLATION, ...own } });
    try {
      const state = await inChromium(page => chat(page, `${url}/`));
      checkThreads(state, true);
    } finally {
      close();
      other.close();
    }
  },
  async 'what is not used is not bundled'() {
    install('webpack');
    for await (const [bundler, bytes] of bundlesOfError()) check(bytes < ERROR_ALONE_BYTES, `${bundler} makes ${bytes} bytes of WispError`);
  },
};

const outcomes = [];
for (const [name, work] of Object.entries(cases)) {
  if (names.length > 0 && !names.some(part => name.includes(part))) continue;
  const begun = performance.now();
  let reason = '';
  try {
    await work();
  } catch (error) {
    reason = `${error.message}${error.stderr ? `\n${error.stderr}${error.stdout}` : ''}`;
  }
  outcomes.push({ suite: 'WebExamples', name, status: reason ? 'failed' : 'passed', reason, seconds: (performance.now() - begun) / 1000 });
}
finish(outcomes);
process.exit();
