// Threads of the engine that trap or end, under Node: the package as it is built, its threads' script with something in front.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import type { WispError } from '../../src/node.js';
import { ENDS_IN_NODE, REFUSED, TRAPS } from './plants.js';

const root = new URL('../../../../', import.meta.url);
const dist = fileURLToPath(new URL('web/dist', root));
const LIMIT = { timeout: 30_000, skip: existsSync(join(dist, 'node.js')) ? false : 'web/dist is not there: run ./dev web' };
const OPTIONS = { device: 'cpu', threads: 3, context: 256 } as const;
const QUESTION = { messages: [{ role: 'user' as const, content: 'Tell me a story about a dog.' }], max_tokens: 8, temperature: 0, seed: 1 };
const model = new Uint8Array(readFileSync(new URL('models/wisp-stories.gguf', root)));

/** A copy of the package; `plant` comes in front of the script of the threads that start from now on. */
async function copyOfPackage(context: TestContext): Promise<{ Wisp: typeof import('../../src/node.js').Wisp; plant(what: string): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'wisp-threads-'));
  context.after(() => rmSync(folder, { recursive: true }));
  cpSync(dist, folder, { recursive: true });
  const script = join(folder, 'thread.node.js');
  const honest = readFileSync(script, 'utf8');
  const { Wisp } = await import(pathToFileURL(join(folder, 'node.js')).href) as typeof import('../../src/node.js');
  return { Wisp, plant: what => writeFileSync(script, what + honest) };
}

for (const [name, planted, reason] of [['traps', TRAPS, /one of its threads broke: unreachable/], ['is gone', ENDS_IN_NODE, /one of its threads is gone/]] as const) {
  test(`a thread that ${name} ends the engine's worker, and restart() helps`, LIMIT, async context => {
    const { Wisp, plant } = await copyOfPackage(context);
    const wisp = await Wisp.load(model, OPTIONS);
    context.after(() => wisp.dispose());
    const { choices: [before] } = await wisp.chat.completions.create(QUESTION);
    plant(planted);
    await assert.rejects(wisp.use(model), (error: WispError) => error.code === 'worker_died' && reason.test(error.message));
    await assert.rejects(wisp.counters(), { code: 'worker_died' });
    plant('');
    await wisp.restart();
    assert.deepEqual((await wisp.chat.completions.create(QUESTION)).choices[0]?.message, before?.message);
  });
}

test('threads that cannot be started leave the model to the module without, with a remark', LIMIT, async context => {
  const { Wisp, plant } = await copyOfPackage(context);
  plant(REFUSED);
  const wisp = await Wisp.load(model, OPTIONS);
  context.after(() => wisp.dispose());
  assert.equal(wisp.info().variant, 'single');
  assert.ok(wisp.info().remarks.some(remark => remark.includes('planted: no thread')), wisp.info().remarks.join('; '));
  await new Promise(resolve => setTimeout(resolve, 1500)); // nothing comes after it
  assert.equal((await wisp.chat.completions.create(QUESTION)).choices.length, 1);
});

test('threads that are asked to end are no accident', LIMIT, async context => {
  const { Wisp } = await copyOfPackage(context);
  const wisp = await Wisp.load(model, OPTIONS);
  context.after(() => wisp.dispose());
  await wisp.use(model);
  await new Promise(resolve => setTimeout(resolve, 1500));
  assert.equal((await wisp.chat.completions.create(QUESTION)).choices.length, 1);
});

// In a process of its own, whose heap has nothing else to collect. It prints how many mappings as large as a module's memory it has.
const LOADS = `
  import { readFileSync } from 'node:fs';
  const [dist, file] = process.argv.slice(1);
  const { Wisp } = await import(dist);
  const model = new Uint8Array(readFileSync(file));
  for (let i = 0; i < 12; ++i) await (await Wisp.load(model, { device: 'cpu', threads: 2, context: 256 })).dispose();
  await new Promise(resolve => setTimeout(resolve, 1500)); // the last worker's end
  const mappings = [...readFileSync('/proc/self/maps', 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)];
  console.log(mappings.filter(([, from, to]) => parseInt(to, 16) - parseInt(from, 16) > 20e6).length);
`;

test('disposed models leave no memory in the heap of the caller', { timeout: 60_000, skip: LIMIT.skip || (existsSync('/proc/self/maps') ? false : 'no /proc here') }, () => {
  const left = Number(execFileSync(process.execPath, ['--input-type=module', '-e', LOADS, pathToFileURL(join(dist, 'node.js')).href, fileURLToPath(new URL('models/wisp-stories.gguf', root))],
    { encoding: 'utf8' }));
  assert.ok(left <= 7, `memory of ${left} of 12 modules`); // four are Node's own
});
