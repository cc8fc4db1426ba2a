// The package under Node, as it is built: dist/node.js on the shipped model.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Candidate } from '../../src/models/index.js';
import type { Platform } from '../../src/platform/platform.js';
import { memoryOf } from '../../src/worker/header.js';
import { nativeGreedy } from './native.mjs';

const root = new URL('../../../../', import.meta.url);
const isBuilt = existsSync(new URL('web/dist/node.js', root));
if (!isBuilt) test('the package', { skip: 'web/dist is not there: run ./dev web' }, () => {});
else await testPackage();

async function testPackage(): Promise<void> {
  const { Wisp } = await import(new URL('web/dist/node.js', root).href) as typeof import('../../src/node.js');
  const { casesOf } = await import(new URL('web/test/package/cases.mjs', root).href) as typeof import('./cases.mjs');
  const model = new Uint8Array(readFileSync(new URL('models/wisp-stories.gguf', root)));

  for (const [name, run] of Object.entries(casesOf({ Wisp, source: model, options: { device: 'cpu', threads: 2 }, greedy: nativeGreedy(fileURLToPath(root)) }))) {
    test(name, async context => {
      const reason = await run();
      if (reason) context.skip(reason);
    });
  }

  test('a module holds what the header told: weights, their table, keys and values', async () => {
    const loadModule = async (): Promise<WebAssembly.Module> => WebAssembly.compile(readFileSync(new URL('web/dist/wisp-simd.wasm', root)));
    const candidate = { bytes: model.length, readStart: async (count: number) => model.slice(0, count) } as unknown as Candidate;
    const settings = { device: 'cpu', context: 512 } as const;
    const told = await memoryOf({ loadModule } as unknown as Platform, { device: 'cpu', variant: 'simd', threads: 1 }, candidate, settings);
    const wisp = await Wisp.load(model, { ...settings, threads: 1 });
    const { weights, kv } = await wisp.memory();
    await wisp.dispose();
    assert.equal(kv, told.kv);
    const expected = told.weights + told.in_place;
    assert.ok(Math.abs(weights - expected) < 0.001 * expected, `${weights} bytes of weights, and the header told ${expected}`);
  });

  test('what the engine says is what the page hears', async () => {
    const wisp = await Wisp.load(model, { device: 'cpu' });
    const remarks = wisp.info().remarks;
    assert.ok(remarks.some(remark => remark.includes('relaxed')), 'Node has no relaxed SIMD');
    await wisp.dispose();
    await assert.rejects(Wisp.load(model, { device: 'gpu' }), (error: Error & { code?: string }) => error.code === 'device');
  });
}
