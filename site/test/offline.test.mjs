// The service worker: a host without headers, no network, and the policy that workers get.
import assert from 'node:assert/strict';
import test from 'node:test';

import { FAKED, answered, openSite, say, startShipped } from './page.mjs';


test('isolates the page on a host that sends no headers, by loading it once more', async () => {
  const site = await openSite({ folder: FAKED, headers: {} });
  try {
    await site.page.waitForFunction(() => globalThis.crossOriginIsolated);
    await site.page.waitForTimeout(500);
    assert.equal(site.requests.filter(address => address === `${site.url}/`).length, 2, 'one load and one reload');
    await startShipped(site.page);
  } finally {
    await site.close();
  }
});

test('opens and answers without a network after the first visit', async () => {
  const site = await openSite({ folder: FAKED });
  try {
    await site.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await startShipped(site.page);
    await site.context.setOffline(true);
    const before = site.asked.length;
    await site.page.reload();
    await startShipped(site.page);
    await say(site.page, 'markdown');
    await answered(site.page);
    await site.page.getByRole('heading', { name: 'A heading' }).waitFor();
    // Only the browser itself may have looked for a newer service worker.
    assert.deepEqual(site.asked.slice(before).filter(path => path !== '/sw.js'), []);
  } finally {
    await site.close();
  }
});

test('gives worker scripts a policy: this site, Hugging Face, and the hosts that the user named', async () => {
  const site = await openSite({ folder: FAKED });
  try {
    await site.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    const policy = () => site.page.evaluate(async () => (await fetch('./wisp/index.js')).headers.get('content-security-policy'));
    assert.match(await policy(), /default-src 'none'.*connect-src 'self' https:\/\/huggingface\.co https:\/\/\*\.huggingface\.co https:\/\/\*\.hf\.co *$/);
    // The load itself fails: the address is nobody's. What is asked is whether the host was let in.
    await site.page.goto(`${site.url}/#models`);
    await site.page.getByRole('textbox', { name: 'Hugging Face repository or address' }).fill('https://models.example.org/a.gguf');
    await site.page.getByRole('region', { name: 'Add a model' }).getByRole('button', { name: 'Load', exact: true }).click();
    await site.page.getByRole('dialog').getByRole('button', { name: 'Allow' }).click();
    await site.page.getByRole('button', { name: 'Unload' }).waitFor();
    assert.match(await policy(), /hf\.co https:\/\/models\.example\.org$/);
  } finally {
    await site.close();
  }
});
