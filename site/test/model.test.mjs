// The page with the package itself and the shipped model: what a user meets on the first visit, and without a network.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { BUILT, answered, longestTask, openSite, say, startShipped } from './page.mjs';

const LONGEST_TASK = 50; // ms
const site = await openSite({ folder: BUILT });
after(() => site.close());
const { page } = site;

test('chats with the shipped model, and the page is never held up while it answers', async () => {
  await startShipped(page);
  const longest = await longestTask(site, async () => {
    await say(page, 'Tell me a story about a dog and a balloon.');
    await answered(page);
  });
  const text = await page.getByRole('article', { name: 'Model' }).innerText();
  assert.ok(text.split(/\s+/).length > 30, text);
  console.log(`${text.match(/\d+ tokens · .*/)?.[0]}; the page's longest task took ${longest.toFixed(1)} ms`);
  assert.ok(longest < LONGEST_TASK, `a task of the page took ${longest} ms`);
});

test('stops a long answer', async () => {
  await page.getByRole('button', { name: 'New chat' }).click();
  // In the page, with the first words: the whole answer takes less than a second, and this program may be slow.
  await page.evaluate(() => new MutationObserver((_, observer) => {
    if (!document.querySelector('.message.assistant .prose')) return;
    document.querySelector('button[aria-label=Stop]')?.click();
    observer.disconnect();
  }).observe(document.body, { childList: true, subtree: true }));
  await say(page, 'Tell me a story about the sea.');
  await page.getByText('Stopped.').waitFor();
});

test('measures speed, and finds the numbers of the scalar reference', async () => {
  await page.goto(`${site.url}/#benchmark`);
  await page.getByRole('button', { name: 'Measure' }).click();
  await page.getByText(/(Equal|Different).*greedy tokens/).waitFor({ timeout: 120_000 });
  console.log(await page.getByText(/greedy tokens/).innerText());
  console.log(await page.getByRole('region', { name: 'Speed' }).innerText());
  assert.equal(await page.getByText(/^Equal/).count(), 1);
});

test('profiles every layer', async () => {
  await page.goto(`${site.url}/#profiler`);
  await page.getByRole('button', { name: 'Take a profile' }).click();
  await page.getByText('WebAssembly memory, in all').waitFor({ timeout: 60_000 });
  assert.equal(await page.getByRole('list', { name: 'Time by layer' }).getByRole('listitem').count(), 9);
});

test('opens and answers without a network', async () => {
  await site.context.setOffline(true);
  const before = site.asked.length;
  await page.goto(`${site.url}/#models`);
  await page.reload();
  await page.getByRole('cell', { name: /^wisp-stories/ }).waitFor();
  await page.getByRole('region', { name: 'Stored models' }).getByRole('button', { name: 'Load', exact: true }).click();
  await page.getByRole('button', { name: 'Unload' }).waitFor({ timeout: 60_000 });
  await page.goto(`${site.url}/#chat`);
  await page.getByRole('button', { name: 'New chat' }).click();
  await say(page, 'Tell me a story about a cat.');
  await answered(page);
  assert.deepEqual(site.asked.slice(before).filter(path => path !== '/sw.js'), []);
  await site.context.setOffline(false);
});

test('asked this origin alone for everything, and the policy had nothing to refuse', async () => {
  assert.deepEqual(await site.violations(), []);
  assert.deepEqual(site.requests.filter(address => !address.startsWith(site.url) && !/^(blob|data):/.test(address)), []);
  assert.deepEqual(site.problems.filter(text => !/ERR_INTERNET_DISCONNECTED/.test(text)), []);
});
