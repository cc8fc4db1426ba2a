// What users give the page that makes no sense, or comes from elsewhere than was thought.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { FAKED, answered, openSite, say, startShipped } from './page.mjs';

const site = await openSite({ folder: FAKED });
after(() => site.close());
const { page } = site;

/** Drops a file on the element of `selector`; whether the browser was kept from opening it. */
const drop = (selector, name, text) => page.evaluate(([where, file, content]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], file));
  return ['dragover', 'drop'].every(type => !document.querySelector(where).dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })));
}, [selector, name, text]);

test('settings of another shape, or of no known value, are as if there were none', async () => {
  await page.evaluate(() => {
    localStorage.setItem('wisp-answer-settings', '{"temperature": "hot", "topK": null, "format": "xml", "system": ["a"], "tools": 1, "topP": 0.5}');
    localStorage.setItem('wisp-load-settings', '{"device": "toaster", "kv": 3, "context": {}}');
    localStorage.setItem('wisp-last-model', '[1, 2');
    localStorage.setItem('wisp-current-conversation', 'null');
    localStorage.setItem('wisp-theme', '"blue"');
  });
  await page.reload();
  await startShipped(page);
  await say(page, 'hello');
  await answered(page);
  const { temperature, top_k, top_p, messages, tools, response_format } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual([temperature, top_k, top_p, messages.length, tools, response_format], [0.7, 40, 0.5, 1, undefined, undefined]);
  assert.equal(await page.evaluate(() => globalThis.fakeWisp.options.device), 'auto');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  assert.equal(await page.getByLabel('Answer as').inputValue(), 'text');
});

test('a schema that is none is said, and not passed over', async () => {
  await page.getByLabel('Answer as').selectOption('JSON by a schema');
  for (const [schema, problem] of [['{', 'The schema is not JSON'], ['[]', 'A schema is a JSON object.']]) {
    await page.getByLabel('JSON Schema').fill(schema);
    const before = await page.evaluate(() => globalThis.fakeWisp.requests.length);
    await say(page, 'in JSON');
    await page.getByRole('alert').getByText(problem).waitFor();
    assert.equal(await page.evaluate(() => globalThis.fakeWisp.requests.length), before);
  }
  await page.getByLabel('Answer as').selectOption('Text');
  await page.keyboard.press('Escape');
});

test('a file that is dropped anywhere never takes the page away', async () => {
  assert.equal(await drop('.composer textarea', 'picture.png', 'no model'), true);
  await page.getByRole('dialog').getByText('“picture.png” is not a GGUF file. Wisp Stories goes on.').waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await page.locator('.status.ready').count(), 1);
  assert.equal(await drop('.messages', 'mine.gguf', 'GGUF and so on'), true);
  await page.locator('.status.ready', { hasText: 'mine' }).waitFor();
});

test('the same file can be opened again', async () => {
  await page.goto(`${site.url}/#models`);
  const file = { name: 'other.gguf', mimeType: 'application/octet-stream', buffer: Buffer.from('GGUF') };
  await page.getByLabel('GGUF file').setInputFiles(file);
  await page.locator('.status.ready', { hasText: 'other' }).waitFor();
  assert.equal(await page.getByLabel('GGUF file').inputValue(), '');
});

test('an address that is none goes to the package, which says so', async () => {
  await page.getByRole('textbox', { name: 'Hugging Face repository or address' }).fill('https://missing:host/');
  await page.getByRole('region', { name: 'Add a model' }).getByRole('button', { name: 'Load', exact: true }).click();
  await page.getByRole('region', { name: 'Loading a model' }).getByRole('alert').waitFor();
  assert.deepEqual(site.problems, []);
});

test('nothing is wider than a narrow phone, or than a page at 400 %', async () => {
  await page.setViewportSize({ width: 320, height: 256 });
  for (const name of ['chat', 'models', 'benchmark', 'profiler']) {
    await page.goto(`${site.url}/#${name}`);
    await page.locator(`main.${name}`).waitFor();
    if (name === 'models') {
      await page.getByRole('cell', { name: /^Other/ }).waitFor();
      await page.getByRole('textbox', { name: 'Hugging Face repository or address' }).fill('owner/repo');
      await page.getByRole('button', { name: 'Show types' }).click();
      await page.getByRole('cell', { name: 'Q6_K' }).waitFor();
      assert.ok(await page.locator('.card.add').evaluate(card => card.scrollWidth <= card.clientWidth), 'the table leaves its card');
    }
    assert.ok(await page.locator('main').evaluate(main => main.scrollWidth <= 320), `${name} is too wide`);
  }
  await page.setViewportSize({ width: 1280, height: 720 });
});

test('a record of another shape among the chats does no harm', async () => {
  await page.evaluate(() => new Promise(resolve => {
    indexedDB.open('wisp-site').onsuccess = ({ target: { result } }) => {
      const transaction = result.transaction('conversations', 'readwrite');
      for (const record of [{ id: 'a' }, { id: 'b', title: 'x', messages: [{}] }]) transaction.objectStore('conversations').put(record);
      transaction.oncomplete = () => { result.close(); resolve(); };
    };
  }));
  await page.goto(`${site.url}/#chat`);
  await page.reload();
  await page.getByRole('list', { name: 'Chats' }).getByRole('button', { name: /^hello/ }).waitFor();
  assert.deepEqual(site.problems, []);
});

test('hints belong to their fields, and a refused copy does not look like one', async () => {
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByLabel('Answer as').selectOption('JSON by a schema');
  await page.getByLabel('JSON Schema').fill('{');
  const said = await page.getByLabel('JSON Schema').evaluate(field => document.getElementById(field.getAttribute('aria-describedby')).textContent);
  assert.match(said, /^The schema is not JSON/);
  await page.getByLabel('Answer as').selectOption('Text');
  await page.evaluate(() => { navigator.clipboard.writeText = async () => { throw new DOMException('no', 'NotAllowedError'); }; });
  await page.getByRole('article').getByRole('button', { name: 'Copy' }).first().click();
  await page.locator('button.refused[aria-label="Not allowed"]').waitFor();
  await page.locator('button.refused').waitFor({ state: 'detached' });
  assert.equal(await page.locator('[aria-label="Not allowed"]').count(), 0);
});

test('the bar of the browser has the colour of the theme that was chosen', async () => {
  const colour = () => page.evaluate(() => [...document.querySelectorAll('meta[name="theme-color"]')].find(({ media }) => matchMedia(media).matches).content);
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await colour();
  await page.getByRole('button', { name: /^Theme: auto/ }).click();
  const dark = await colour();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await colour(), dark);
  await page.getByRole('button', { name: /^Theme: dark/ }).click();
  assert.equal(await colour(), light);
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.equal(await colour(), dark);
});
