// The checks in headless Chromium: node web/harness/browser.mjs [--report FILE.xml]
// CHROMIUM names another executable than the system's.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { finish } from './report.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const data = process.env.WISP_TEST_DATA;
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

// The repository's files on a port of this machine, and under /data/ the reference data. Threads need a page that is cross-origin isolated.
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
  try {
    const bytes = await readFile(path.startsWith('/data/') ? join(data ?? '', path.slice('/data'.length)) : join(root, path));
    response.writeHead(200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
try {
  const page = await browser.newPage();
  page.on('console', message => console.log(message.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/web/harness/page.html${data ? '?data' : ''}`);
  finish(await page.evaluate(() => window.results));
} finally {
  await browser.close();
  server.close();
}
