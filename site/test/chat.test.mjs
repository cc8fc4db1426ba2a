// The chat as somebody meets it who goes by keyboard, is interrupted, or changes their mind.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { FAKED, answered, openSite, say, startShipped } from './page.mjs';

const site = await openSite({ folder: FAKED });
after(() => site.close());
const { page } = site;
await startShipped(page);
await say(page, 'Tell me a story.');
await answered(page);

const slowly = slow => page.evaluate(is => { globalThis.fakeWisp.slow = is; }, slow);
const button = name => page.getByRole('button', { name, exact: typeof name === 'string' });
const press = async (name, key = 'Enter') => {
  await button(name).focus();
  await page.keyboard.press(key);
};
const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim());
const hasFocus = name => page.waitForFunction(wanted => document.activeElement.getAttribute('aria-label') === wanted, name, { timeout: 2000 })
  .catch(async () => assert.equal(await focused(), name));

test('the focus goes back to where it was: from dialogs, panes and editors', async () => {
  await press('Rename Tell me a story.');
  await hasFocus('Rename the chat');
  await page.keyboard.press('Escape');
  await hasFocus('Rename Tell me a story.');
  await press('Settings');
  await press('Close the settings');
  await hasFocus('Settings');
  await press('Settings');
  await page.getByLabel('System prompt').focus();
  await page.keyboard.press('Escape');
  await hasFocus('Settings');
  await press('Edit');
  await hasFocus('Edit the message');
  await page.keyboard.press('Escape');
  await hasFocus('Edit');
  await slowly(true);
  await press('Answer again');
  await hasFocus('Conversation');
  await page.getByText('Once upon a time').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Stopped.').waitFor();
  await slowly(false);
});

test('Escape in the question how to save saves nothing', async () => {
  let saved = 0;
  page.on('download', () => ++saved);
  await press('Save Tell me a story.');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.waitForTimeout(300);
  assert.equal(saved, 0);
  await press('Save Tell me a story.');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('dialog').getByRole('button', { name: 'JSON' }).click()]);
  assert.equal(file.suggestedFilename(), 'Tell-me-a-story.json');
});

test('the list of chats says whether it is shown', async () => {
  for (const [width, shown] of [[1280, 'true'], [390, 'false']]) {
    await page.setViewportSize({ width, height: 800 });
    for (const expected of [shown, shown === 'true' ? 'false' : 'true']) {
      await page.waitForFunction(wanted => document.querySelector('[aria-label=Chats][aria-expanded]').ariaExpanded === wanted, expected, { timeout: 2000 });
      assert.equal(await page.getByRole('list', { name: 'Chats' }).isVisible(), expected === 'true');
      if (expected === shown) await press('Chats');
    }
    await page.keyboard.press('Escape');
    await hasFocus('Chats');
  }
  await page.setViewportSize({ width: 1280, height: 800 });
});

test('an earlier message cannot be sent again while an answer comes', async () => {
  await press('Edit');
  await hasFocus('Edit the message');
  await slowly(true);
  await say(page, 'A second one.');
  await button('Stop').waitFor();
  assert.equal(await button('Send again').isDisabled(), true);
  await page.getByRole('textbox', { name: 'Edit the message' }).fill('Another beginning.');
  await page.keyboard.press('Control+Enter');
  assert.equal(await page.getByText('A second one.').count(), 1);
  await button('Stop').click();
  await slowly(false);
  await button('Send again').click();
  await page.getByText('A second one.').waitFor({ state: 'detached' });
  await answered(page);
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages, [{ role: 'user', content: 'Another beginning.' }]);
});

test('what is written stays over a look at another page', async () => {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill('Half a thought');
  await page.goto(`${site.url}/#models`);
  await page.getByRole('heading', { name: 'Models', exact: true }).waitFor();
  await page.goto(`${site.url}/#chat`);
  assert.equal(await page.getByRole('textbox', { name: 'Message', exact: true }).inputValue(), 'Half a thought');
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill('');
});

test('a number that is being typed stays while an answer comes', async () => {
  await press('Settings');
  await slowly(true);
  await say(page, 'a long one');
  await page.getByText('Once upon a time').waitFor();
  const field = page.getByLabel('Top k');
  await field.fill('12.6');
  await page.waitForTimeout(400);
  assert.equal(await field.inputValue(), '12.6');
  await page.keyboard.press('Tab');
  assert.equal(await field.inputValue(), '13');
  await field.fill('5000');
  await page.keyboard.press('Tab');
  assert.equal(await field.inputValue(), '1000');
  await button('Stop').click();
  await slowly(false);
});

test('a conversation opens at its end', async () => {
  await press('New chat');
  await say(page, 'another');
  await answered(page);
  const log = page.getByRole('log');
  for (const name of ['long', 'long', 'long']) {
    await say(page, `a ${name} one`);
    await button('Stop').waitFor();
    await button('Send').waitFor();
  }
  await log.evaluate(element => { element.scrollTop = 0; });
  await page.waitForTimeout(100);
  await page.getByRole('list', { name: 'Chats' }).getByRole('button', { name: /^Another beginning/ }).click();
  await page.getByRole('list', { name: 'Chats' }).getByRole('button', { name: /^another/ }).click();
  await page.waitForTimeout(100);
  assert.ok(await log.evaluate(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - scrollTop - clientHeight) < 60);
});

test('New chat makes no second one without a message', async () => {
  const chats = page.getByRole('list', { name: 'Chats' }).getByRole('listitem');
  await press('New chat');
  const before = await chats.count();
  await press('New chat');
  assert.equal(await chats.count(), before);
});

test('text from right to left is drawn so, and code in it is not', async () => {
  await page.evaluate(() => {
    globalThis.fakeWisp.chat.completions.create = async () => (async function* () {
      yield { choices: [{ delta: { content: 'שלום עולם!\n\n- אחת\n\n```\nlet a;\n```\n\nHello world.' } }] };
    })();
  });
  await say(page, 'مرحبا بالعالم!');
  await answered(page);
  const directions = await page.evaluate(() => ['.said', '.prose p', '.prose ul', '.prose pre', '.prose > div:last-child p', '.bar h1']
    .map(where => getComputedStyle(document.querySelector(`:is(.messages, .bar) ${where.replace('.bar ', '')}`)).direction));
  assert.deepEqual(directions, ['rtl', 'rtl', 'rtl', 'ltr', 'ltr', 'rtl']);
});

test('buttons that change what they do keep the focus', async () => {
  await page.goto(`${site.url}/#models`);
  await page.reload();
  await page.getByRole('textbox', { name: 'Hugging Face repository or address' }).fill('owner/slow');
  await page.keyboard.press('Enter');
  await press('Pause');
  await page.getByText('Paused; what is here stays here.').waitFor();
  assert.equal(await focused(), 'Resume');
  await page.keyboard.press('Enter');
  await page.locator('.status.ready').waitFor();
  await press('Delete Some-Model-1B-Q4_K_M');
  await page.waitForFunction(() => document.activeElement.textContent === 'Keep');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('cell', { name: /^Some-Model/ }).waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Look again');
  await page.goto(`${site.url}/#benchmark`);
  await press('Measure');
  await page.getByRole('heading', { name: 'On this device' }).waitFor();
  assert.equal(await focused(), 'Measure');
  await press(/^Forget the result/);
  await page.getByRole('heading', { name: 'On this device' }).waitFor({ state: 'detached' });
  await page.goto(`${site.url}/#profiler`);
  await press('Take a profile');
  await page.getByRole('heading', { name: 'Memory' }).waitFor();
  assert.equal(await focused(), 'Take a profile');
});

test('a pane that lies over the conversation has the focus, and what is under it has not', async () => {
  await page.goto(`${site.url}/#chat`);
  await page.setViewportSize({ width: 390, height: 800 });
  for (const [opener, closer] of [['Chats', 'Close the list'], ['Settings', 'Close the settings']]) {
    await press(opener);
    await hasFocus(closer);
    assert.equal(await page.locator('.middle').evaluate(({ inert }) => inert), true);
    await page.keyboard.press('Escape');
    await hasFocus(opener);
    await press(opener);
    await hasFocus(closer);
    await page.mouse.click(opener === 'Chats' ? 380 : 10, 700); // beside it
    await hasFocus(opener);
    assert.equal(await page.locator('.middle').evaluate(({ inert }) => inert), false);
  }
  await press('Chats');
  await page.getByRole('list', { name: 'Chats' }).getByRole('button', { name: /^another/ }).click();
  await page.getByRole('list', { name: 'Chats' }).waitFor({ state: 'hidden' });
  await hasFocus('Chats');
  await page.setViewportSize({ width: 1280, height: 800 });
});
