// What is kept of conversations when the page ends, when two tabs have them, and when there is no room.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { FAKED, answered, openSite, say, startShipped } from './page.mjs';

const site = await openSite({ folder: FAKED });
after(() => site.close());
const { page } = site;

const slowly = (tab, slow) => tab.evaluate(is => { globalThis.fakeWisp.slow = is; }, slow);
const load = async tab => {
  await tab.getByRole('button', { name: /^Load Wisp Stories/ }).click();
  await tab.locator('.status.ready').waitFor();
};

test('a page that ends in the middle of an answer keeps what was there', async () => {
  await startShipped(page);
  await slowly(page, true);
  await say(page, 'A long one.');
  await page.getByText('he loved it very much').waitFor();
  await page.waitForTimeout(1500);
  await page.reload();
  const answer = page.getByRole('article', { name: 'Model' });
  await answer.getByText('Stopped.').waitFor();
  assert.match(await answer.innerText(), /^Once upon a time there was a small dog/);
});

test('what one tab says, renames or deletes, another has too, and does not write over', async () => {
  await load(page);
  await say(page, 'first');
  await answered(page);
  const other = await site.context.newPage();
  await other.goto(`${site.url}/`);
  await load(other);
  await say(page, 'from the first tab');
  await answered(page);
  await other.getByText('from the first tab').waitFor();
  await say(other, 'from the second tab');
  await answered(other);
  await page.getByText('from the second tab').waitFor();
  await page.reload();
  await page.getByText('from the second tab').waitFor();
  assert.equal(await page.getByText('from the first tab').count(), 1);

  await other.getByRole('button', { name: 'Settings', exact: true }).click();
  await other.getByLabel('System prompt').fill('Be brief.');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByLabel('Seed').fill('7');
  const settings = await page.evaluate(() => JSON.parse(localStorage.getItem('wisp-answer-settings')));
  assert.deepEqual([settings.system, settings.seed], ['Be brief.', '7']);

  await slowly(other, true);
  await say(other, 'a long one');
  await other.getByRole('button', { name: 'Stop' }).waitFor();
  await page.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await other.getByText('from the first tab').waitFor({ state: 'detached' });
  await page.reload();
  await page.getByRole('heading', { name: 'A language model in this page' }).waitFor();
  await other.close();
});

test('a conversation that is deleted gets no answer any more', async () => {
  await startShipped(page);
  await slowly(page, true);
  await page.evaluate(() => {
    const { completions } = globalThis.fakeWisp.chat;
    const create = completions.create;
    completions.create = (request, options) => {
      options.signal.addEventListener('abort', () => { globalThis.isStopped = true; });
      return create(request, options);
    };
  });
  await say(page, 'a long one');
  await page.getByText('Once upon a time').waitFor();
  await page.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForFunction(() => globalThis.isStopped, null, { timeout: 2000 });
  await slowly(page, false);
});

test('says when chats cannot be kept, and goes on', async () => {
  await page.evaluate(() => {
    globalThis.put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = () => { throw new DOMException('the disk is full', 'QuotaExceededError'); };
  });
  await say(page, 'one');
  await page.getByRole('alert').getByText('Chats are not kept now: the disk is full').waitFor();
  await answered(page);
  await page.evaluate(() => { IDBObjectStore.prototype.put = globalThis.put; });
  await say(page, 'two');
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await site.context.addInitScript(() => { IDBFactory.prototype.open = () => { throw new DOMException('not allowed', 'SecurityError'); }; });
  await page.reload();
  await startShipped(page);
  await say(page, 'three');
  await page.getByRole('alert').getByText('this browser gives the page no storage').waitFor();
  await answered(page);
});
