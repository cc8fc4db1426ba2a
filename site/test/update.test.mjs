// What the service worker leaves alone, and how a new version of the app comes while old ones are open.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { FAKED, openSite, startShipped } from './page.mjs';

const MODULE = 'wisp/wisp-relaxed.wasm';

/** The site in a folder that a test may change. */
async function withCopy(work) {
  const copy = await mkdtemp(join(tmpdir(), 'wisp-site-'));
  await cp(FAKED, copy, { recursive: true });
  // The stand-in has no modules; here is one.
  const worker = await readFile(join(copy, 'sw.js'), 'utf8');
  await writeFile(join(copy, 'sw.js'), worker.replace('"later":[]', `"later":["${MODULE}"]`));
  await writeFile(join(copy, MODULE), 'a module');
  const site = await openSite({ folder: copy });
  try {
    await site.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await work(site, copy);
  } finally {
    await site.close();
    await rm(copy, { recursive: true });
  }
}

test('pages of others below its folder are theirs', () => withCopy(async ({ page, url }, copy) => {
  await mkdir(join(copy, 'other'));
  await writeFile(join(copy, 'other/index.html'), '<title>another project</title>');
  await page.goto(`${url}/other/`);
  assert.equal(await page.title(), 'another project');
  assert.equal((await page.goto(`${url}/nothing/`)).status(), 404);
  await page.goto(`${url}/?from=elsewhere#models`);
  assert.equal(await page.title(), 'Models · wisp');
}));

test('a new version is offered to every tab, and keeps what is needed without a network', () => withCopy(async ({ page, context, url }, copy) => {
  await startShipped(page);
  const isKept = () => page.evaluate(async name => (await caches.match(new URL(name, document.baseURI))) !== undefined, MODULE);
  while (!await isKept()) await page.waitForTimeout(50);
  const other = await context.newPage();
  await other.goto(`${url}/`);
  const worker = await readFile(join(copy, 'sw.js'), 'utf8');
  await writeFile(join(copy, 'sw.js'), worker.replace(/"version":"\w+"/, '"version":"newer"'));
  await other.evaluate(async () => (await navigator.serviceWorker.ready).update());
  for (const tab of [page, other]) {
    await tab.getByText('A new version is here.').waitFor();
    await tab.evaluate(() => { globalThis.isOld = true; });
  }
  for (const tab of [page, other]) {
    await tab.getByRole('button', { name: 'Reload' }).click();
    await tab.waitForFunction(() => globalThis.isOld === undefined);
    await tab.getByRole('button', { name: 'New chat' }).waitFor();
    assert.equal(await tab.getByText('A new version is here.').count(), 0);
  }
  assert.equal(await isKept(), true);
  assert.deepEqual((await page.evaluate(() => caches.keys())).filter(name => name.startsWith('wisp-code')), ['wisp-code-newer']);
}));
