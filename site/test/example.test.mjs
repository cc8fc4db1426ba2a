// The example of a page without a build (examples/web/plain.html), on the stand-in for the package.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openSite } from './page.mjs';

const folder = fileURLToPath(new URL('../../build/site-example/', import.meta.url));
let site;
let page;
before(async () => {
  mkdirSync(folder, { recursive: true });
  cpSync(new URL('fake/index.js', import.meta.url), `${folder}index.js`);
  const html = readFileSync(new URL('../../examples/web/plain.html', import.meta.url), 'utf8');
  writeFileSync(`${folder}index.html`, html.replace('../../web/dist/index.js', './index.js').replace('<meta charset', '<link rel="icon" href="data:,"><meta charset'));
  site = await openSite({ folder });
  ({ page } = site);
  await page.getByText(/^Ready/).waitFor();
});
after(() => site.close());

const ask = async question => {
  await page.getByLabel('You:').fill(question);
  await page.getByRole('button', { name: 'Ask' }).click();
};
const isAskable = () => page.locator('[name=ask]:enabled').waitFor();
const requests = () => page.evaluate(() => globalThis.fakeWisp.requests.map(({ messages }) => messages.map(({ role }) => role)));

test('one question is answered at a time', async () => {
  await page.evaluate(() => { globalThis.fakeWisp.slow = true; });
  await ask('A story.');
  assert.equal(await page.getByRole('button', { name: 'Ask' }).isDisabled(), true);
  await page.getByLabel('You:').press('Enter');
  await page.evaluate(() => { globalThis.fakeWisp.slow = false; });
  await isAskable();
  assert.deepEqual(await requests(), [['user']]);
  assert.match(await page.locator('#answer').innerText(), /small dog named Max/);
});

test('what goes wrong is shown, and the conversation goes on without it', async () => {
  await ask('fail now');
  await page.getByText('the conversation takes 3000 tokens').waitFor();
  await isAskable();
  await ask('Another.');
  await page.getByText(/^Ready/).waitFor();
  await isAskable();
  assert.deepEqual((await requests()).at(-1), ['user', 'assistant', 'user']);
  assert.deepEqual(site.problems, []);
});
