// Threads of the engine that trap or end, under Node: the package as it is built, its threads' script with something in front.
import assert from 'node:assert/strict';
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
  await new Promise(resolve => setTimeout(resolve, 1500)); // longer than news of threads may be late
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
