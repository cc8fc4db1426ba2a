// What the page does with every kind of answer, on a stand-in for the package.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import test, { after, before } from 'node:test';

import { FAKED, answered, openSite, say, startShipped } from './page.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let site;
let page;

async function begin() {
  site = await openSite({ folder: FAKED });
  ({ page } = site);
}
before(begin);
after(() => site.close());

async function freshChat() {
  await page.goto(`${site.url}/#chat`);
  await page.getByRole('button', { name: 'New chat' }).first().click();
}
const setting = async label => {
  await page.goto(`${site.url}/#chat`);
  const button = page.getByRole('button', { name: 'Settings', exact: true });
  if (await button.getAttribute('aria-expanded') === 'false') await button.click();
  return page.getByLabel(label);
};

test('starts, loads the shipped model, and streams an answer with its speed', async () => {
  assert.equal(await page.title(), 'wisp');
  await startShipped(page);
  await say(page, 'Tell me a story.');
  await answered(page);
  const answer = page.getByRole('article', { name: 'Model' });
  assert.match(await answer.innerText(), /small dog named Max/);
  assert.match(await answer.innerText(), /\d+ tokens · [\d.]+ tokens\/s · first after \d+ ms/);
});

test('stops an answer, answers again, and takes an edited message', async () => {
  await freshChat();
  await page.evaluate(() => { globalThis.fakeWisp.slow = true; });
  await say(page, 'A long one.');
  await page.getByText('Once upon a time').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Stopped.').waitFor();
  await page.evaluate(() => { globalThis.fakeWisp.slow = false; });
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.getByText('Stopped.').waitFor({ state: 'detached' });
  await answered(page);
  assert.equal(await page.getByRole('article').count(), 2);

  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.getByRole('textbox', { name: 'Edit the message' }).fill('A short one.');
  await page.keyboard.press('Control+Enter');
  await answered(page);
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages, [{ role: 'user', content: 'A short one.' }]);
});

test('shows markdown, and nothing in it runs or is fetched', async () => {
  await freshChat();
  await say(page, 'markdown, please');
  await page.getByRole('heading', { name: 'A heading' }).waitFor();
  await answered(page);
  const prose = page.locator('.prose').last();
  assert.equal(await prose.locator('img, script').count(), 0);
  assert.equal(await page.evaluate(() => globalThis.broken), undefined);
  assert.deepEqual(await prose.locator('a').evaluateAll(links => links.map(link => [link.getAttribute('href'), link.rel])), [
    ['https://example.org/a', 'noopener noreferrer nofollow'], ['https://example.org/p.png', 'noopener noreferrer nofollow'],
  ]);
  assert.equal(await prose.locator('td.align-right').count(), 2);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await prose.getByRole('button', { name: 'Copy' }).click();
  await prose.getByRole('button', { name: 'Copied' }).waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^const answer = 42;\n/);
});

test('shows thoughts folded, errors as they are, and goes on after both', async () => {
  await freshChat();
  await say(page, 'think about it');
  await answered(page);
  assert.equal(await page.locator('details.reasoning').evaluate(details => details.open), false);
  await say(page, 'fail now');
  await page.getByRole('alert').getByText('the conversation takes 3000 tokens').waitFor();
  await say(page, 'once more');
  await page.getByText('small dog named Max').waitFor();
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'user', 'user']);
});

test('says when the engine has ended, and starts it again', async () => {
  await freshChat();
  await say(page, 'die');
  await page.getByRole('region', { name: 'Loading a model' }).getByText('the worker ended').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.status.ready').waitFor();
  await say(page, 'once more');
  await page.getByText('small dog named Max').waitFor();
});

test('runs tools in the page, and shows calls and results', async () => {
  await (await setting('Tools: calculator and clock')).check();
  await freshChat();
  await say(page, 'compute six times seven');
  await page.getByText('The tool says 42.').waitFor();
  await page.getByText('Tool: calculator').waitFor();
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages.at(-1), { role: 'tool', content: '42', tool_call_id: 'call_1' });
  assert.equal(messages.at(-2).tool_calls[0].function.name, 'calculator');
});

test('does not give a call back that was cut, and goes on', async () => {
  await freshChat();
  for (const [asked, count] of [['a cut one', 1], ['a broken one', 2]]) {
    await say(page, asked);
    await page.getByRole('alert').getByText('its answer ended before the call did').nth(count - 1).waitFor();
  }
  await say(page, 'compute six times seven');
  await page.getByText('The tool says 42.').waitFor();
  await say(page, 'once more');
  await page.getByText('small dog named Max').waitFor();
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'user', 'user', 'assistant', 'tool', 'assistant', 'user']);
  assert.deepEqual(messages.flatMap(({ tool_calls: calls = [] }) => calls.map(call => call.function.arguments)), ['{"expression": "6 * 7"}']);
  await (await setting('Tools: calculator and clock')).uncheck();
});

test('sends settings, the system prompt and a schema along', async () => {
  await (await setting('System prompt')).fill('Be brief.');
  await (await setting('Temperature')).fill('0.25');
  await page.keyboard.press('Tab');
  await (await setting('Seed')).fill('7');
  await (await setting('Answer as')).selectOption('JSON by a schema');
  await freshChat();
  await say(page, 'in JSON');
  await page.getByText('{"answer": "yes"}').waitFor();
  const request = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(request.messages[0], { role: 'system', content: 'Be brief.' });
  assert.equal(request.temperature, 0.25);
  assert.equal(request.seed, 7);
  assert.equal(request.response_format.json_schema.schema.required[0], 'answer');
  await (await setting('JSON Schema')).fill('{');
  await page.getByText('The schema is not JSON').waitFor();
  await (await setting('Answer as')).selectOption('Text');
  await (await setting('System prompt')).fill('');
});

test('keeps conversations: finds, renames, deletes them, over a reload', async () => {
  await page.reload();
  const list = page.getByRole('list', { name: 'Chats' });
  await list.getByRole('listitem').first().waitFor();
  const before = await list.getByRole('listitem').count();
  await page.getByRole('searchbox').fill('balloon dog markdown');
  assert.equal(await list.getByRole('listitem').count(), 0);
  await page.getByRole('searchbox').fill('MARKDOWN');
  assert.equal(await list.getByRole('listitem').count(), 1);
  await list.getByRole('button', { name: /^markdown/ }).first().click();
  await list.getByRole('button', { name: /^Rename/ }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('Renamed MARKDOWN');
  await page.keyboard.press('Enter');
  await list.getByText('Renamed MARKDOWN').waitFor();
  await list.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await list.getByText('Renamed MARKDOWN').waitFor({ state: 'detached' });
  await page.getByRole('searchbox').fill('');
  assert.equal(await list.getByRole('listitem').count(), before - 1);
});

test('pauses and resumes a load; a failed one says why', async () => {
  await page.goto(`${site.url}/#models`);
  const name = page.getByRole('textbox', { name: 'Hugging Face repository or address' });
  await name.fill('owner/slow');
  await page.getByRole('button', { name: 'Load', exact: true }).first().click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused; what is here stays here.').waitFor();
  await page.getByRole('region', { name: 'Loading a model' }).getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('button', { name: 'Unload' }).waitFor();
  await name.fill('owner/missing');
  await page.getByRole('button', { name: 'Load', exact: true }).first().click();
  await page.getByRole('alert').getByText('there is no such repository').waitFor();
  await name.fill('owner/repo');
  await page.getByRole('button', { name: 'Show types' }).click();
  await page.getByRole('row', { name: /^Q3_K_S/ }).getByRole('button', { name: 'Load' }).click();
  await page.getByRole('heading', { name: 'Model-8B-Q3_K_S' }).waitFor();
  await page.locator('.status.ready', { hasText: 'Model-8B-Q3_K_S' }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.fakeWisp.source), 'hf:owner/repo:sub/Model-8B-Q3_K_S.gguf');
  // A strange host is asked about first; without a yes nothing is asked of it.
  await name.fill('https://models.example.org/a.gguf');
  await page.getByRole('button', { name: 'Load', exact: true }).first().click();
  await page.getByRole('dialog').getByText('models.example.org').first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Unload' }).click();
});

test('goes on with a conversation on another model, and saves it', async () => {
  await freshChat();
  await page.getByRole('button', { name: /^Load Wisp Stories|^Start$/ }).click();
  await page.locator('.status.ready').waitFor();
  await say(page, 'first question');
  await answered(page);
  await page.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'Some-Model-1B-Q4_K_M (807 MB)' });
  await page.locator('.status.ready', { hasText: 'Some-Model' }).waitFor();
  await say(page, 'second question');
  await page.getByRole('article').nth(3).waitFor();
  await answered(page);
  const { messages } = await page.evaluate(() => globalThis.fakeWisp.requests.at(-1));
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'user']);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save first question' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Markdown' }).click();
  const text = await readFile(await (await saved).path(), 'utf8');
  assert.match(text, /^# first question\n\n## You\n\nfirst question\n\n## Model\n\nOnce upon/);
  await page.goto(`${site.url}/#models`);
  await page.getByRole('button', { name: 'Unload' }).click();
});

test('a choice that is taken back, and a token, hold from the next model on', async () => {
  await page.goto(`${site.url}/#models`);
  const name = page.getByRole('textbox', { name: 'Hugging Face repository or address' });
  const load = async repository => {
    await name.fill(repository);
    await page.getByRole('button', { name: 'Load', exact: true }).first().click();
    await page.locator('.status.ready', { hasText: repository.split('/')[1] }).waitFor();
    const options = await page.evaluate(() => globalThis.fakeWisp.options);
    return [options.context, options.kv, options.threads, options.maxSequences, options.token];
  };
  const set = async (context, kv, threads, token) => {
    await page.getByLabel('Context in tokens').fill(context);
    await page.keyboard.press('Tab');
    await page.getByLabel('Keys and values').selectOption(kv);
    await page.getByLabel('Threads').fill(threads);
    await page.getByLabel('Hugging Face token').fill(token);
  };
  await set('512', 'q8_0', '3', '');
  assert.deepEqual(await load('owner/first'), [512, 'q8_0', 3, undefined, undefined]);
  await set('0', 'As fits', '0', 'hf_x');
  assert.deepEqual(await load('owner/second'), [undefined, undefined, undefined, undefined, 'hf_x']);
  await set('0', 'As fits', '0', '');
  assert.deepEqual(await load('owner/third'), [undefined, undefined, undefined, undefined, undefined]);
  await page.getByRole('button', { name: 'Unload' }).click();
});

test('lists and deletes stored models', async () => {
  await page.goto(`${site.url}/#models`);
  await page.getByRole('cell', { name: 'Other-3B-Q8_0 35 % here' }).waitFor();
  await page.getByRole('button', { name: 'Delete Other-3B-Q8_0' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('cell', { name: 'Other-3B-Q8_0' }).waitFor({ state: 'detached' });
});

test('measures, compares numbers, and keeps the result', async () => {
  await page.goto(`${site.url}/#benchmark`);
  await page.getByRole('button', { name: 'Load the small model' }).click();
  await page.getByRole('button', { name: 'Measure' }).click();
  await page.getByText(/Equal: greedy tokens/).waitFor();
  await page.getByRole('heading', { name: 'On this device' }).waitFor();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Picture' }).click();
  assert.equal((await download).suggestedFilename(), 'wisp-benchmark.png');
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as JSON' }).click();
  const result = JSON.parse(await readFile(await (await saved).path(), 'utf8'));
  assert.ok(result.rows.length >= 3 && result.rows.every(({ prefill, decode }) => prefill > 0 && decode > 0), JSON.stringify(result.rows));
});

test('profiles by layer and op, and tells the memory by owner', async () => {
  await page.goto(`${site.url}/#profiler`);
  await page.getByRole('button', { name: 'Take a profile' }).click();
  await page.getByRole('list', { name: 'Time by layer' }).getByRole('listitem').nth(8).waitFor();
  assert.equal(await page.getByRole('list', { name: 'Time by layer' }).getByRole('listitem').count(), 9);
  // The stand-in counts on and on: 8 layers of 32 calls when a profile begins, twice as many more until it ends.
  await page.getByText(/^Weights were read at [\d.]+ GB\/s, \d+ % of the [\d.]+ GB\/s that the memory/).waitFor();
  assert.match(await page.getByRole('row', { name: /^gate-up/ }).innerText(), /^gate-up\s+512\s/);
  await page.getByText('WebAssembly memory, in all').waitFor();
});

test('a measurement whose worker ends says so, and the model can be started again', async () => {
  for (const [name, button] of [['benchmark', 'Measure'], ['profiler', 'Take a profile']]) {
    await page.goto(`${site.url}/#${name}`);
    await page.reload(); // the stand-in that was made last is the page's own
    await page.getByRole('button', { name: 'Load the small model' }).click();
    await page.getByRole('button', { name: button }).waitFor();
    await page.evaluate(() => {
      globalThis.fakeWisp.completions.create = async () => { throw Object.assign(new Error('the worker ended'), { code: 'worker_died' }); };
    });
    await page.getByRole('button', { name: button }).click();
    await page.getByRole('region', { name: 'Loading a model' }).getByText('the worker ended').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.status.ready').waitFor();
  }
});

test('has labels, contrast and order that axe finds no fault with, in both themes and on every page', async () => {
  const seen = [];
  // axe is given to the page by the browser's debugger, past the page's policy.
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    for (const name of ['chat', 'models', 'benchmark', 'profiler']) {
      await page.goto(`${site.url}/#${name}`);
      await page.locator(`main.${name}`).waitFor();
      const { violations } = await page.evaluate(`${axe}; axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`);
      for (const { id, nodes } of violations) seen.push(`${theme} ${name} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
    }
  }
  assert.deepEqual(seen, []);
});

test('works by keyboard alone', async () => {
  await page.goto(`${site.url}/#chat`);
  await page.reload();
  await page.getByRole('button', { name: 'New chat' }).first().waitFor();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim());
  const tabTo = async wanted => {
    for (let count = 0; count < 60; ++count) {
      await page.keyboard.press('Tab');
      if (wanted.test(await focused())) return;
    }
    assert.fail(`the focus never came to ${wanted}`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to content');
  await tabTo(/^New chat$/);
  await page.keyboard.press('Enter');
  await tabTo(/^Start$/);
  await page.keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  await page.waitForFunction(() => document.activeElement.getAttribute('aria-label') === 'Message');
  await page.keyboard.type('Tell me a story.');
  await page.keyboard.press('Enter');
  await answered(page);
});

test('asked no other origin for anything, and the policy had nothing to refuse', async () => {
  assert.deepEqual(await site.violations(), []);
  assert.deepEqual(site.requests.filter(address => !address.startsWith(site.url) && !/^(blob|data):/.test(address)), []);
  assert.deepEqual(site.problems, []);
});
