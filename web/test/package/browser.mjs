// The package in a browser, as it is built: node test/package/browser.mjs [--browser chromium|firefox|webkit] [--gpu]
// [--no-isolation] [--report FILE.xml].
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { openBrowser, openProfile } from '../../harness/browsers.mjs';
import { finish } from '../../harness/report.mjs';
import { nativeGreedy } from './native.mjs';

const { values: { browser: name, gpu, 'no-isolation': bare } } = parseArgs({
  options: { browser: { type: 'string', default: 'chromium' }, gpu: { type: 'boolean' }, 'no-isolation': { type: 'boolean' }, report: { type: 'string' } },
});
const root = fileURLToPath(new URL('../../../', import.meta.url));
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
  try {
    const bytes = path === '/' ? Buffer.from('<!doctype html><title>wisp</title><link rel="icon" href="data:,">') : await readFile(root + path);
    response.writeHead(200, {
      'Content-Length': bytes.length,
      'Content-Type': TYPES[extname(path)] ?? (path === '/' ? 'text/html' : 'application/octet-stream'),
      ...(!bare && { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }),
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));

// The example of the guide, as a person uses it.
async function example() {
  const begun = performance.now();
  let error;
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/examples/web/plain.html`);
    const text = await page.evaluate(async () => {
      const until = async is => {
        for (let tries = 0; tries < 600 && !is(); ++tries) await new Promise(resolve => setTimeout(resolve, 100));
      };
      await until(() => document.querySelector('#state').textContent.startsWith('Ready'));
      document.querySelector('form button').click();
      await until(() => document.querySelector('#answer').textContent.length > 40);
      return document.querySelector('#answer').textContent;
    });
    if (text.length <= 40) error = `it answers '${text}'`;
  } catch (caught) {
    error = caught.message;
  }
  return { name: 'examples/web/plain.html', error, milliseconds: performance.now() - begun };
}

const suite = ['Package', name, gpu && 'gpu', bare && 'alone'].filter(Boolean).join('-');
const open = async () => {
  if (name !== 'webkit') return openBrowser(name, gpu ?? false);
  const browser = await openProfile(name);
  return { browser, page: await browser.newPage() };
};
const { browser, page } = await open();
try {
  page.on('console', message => console.error(`  ${message.text()}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const outcomes = await page.evaluate(async ({ device, greedy }) => {
    const { Wisp } = await import('/web/dist/index.js');
    const { casesOf, runCases } = await import('/web/test/package/cases.mjs');
    const source = new Uint8Array(await (await fetch('/models/wisp-stories.gguf')).arrayBuffer());
    return runCases(casesOf({ Wisp, source, options: { device }, greedy }));
  }, { device: gpu ? 'gpu' : 'cpu', greedy: nativeGreedy(root) });
  outcomes.push(await example());
  finish(outcomes.map(({ name: what, error, skipped, milliseconds }) => ({
    suite, name: what, status: error ? 'failed' : skipped ? 'skipped' : 'passed', reason: error ?? skipped ?? '', seconds: milliseconds / 1000,
  })));
} finally {
  await browser.close();
  server.close();
}
process.exit();
