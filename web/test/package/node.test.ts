// The package under Node, as it is built: dist/node.js on the shipped model.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Candidate } from '../../src/models/index.js';
import type { Platform } from '../../src/platform/platform.js';
import { memoryOf, type Memory } from '../../src/worker/header.js';
import { modelBytes, startServer } from '../models/server.js';
import { withTensor } from './factors.js';
import { splitModel } from './split.js';
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
    const settings = { device: 'cpu', context: 512 } as const;
    const memory = (bytes: Uint8Array): Promise<Memory> => {
      const candidate = { bytes: bytes.length, sizes: [bytes.length], readStart: async (count: number) => bytes.slice(0, count) } as unknown as Candidate;
      return memoryOf({ loadModule } as unknown as Platform, { device: 'cpu', variant: 'simd', threads: 1 }, candidate, settings);
    };
    const told = await memory(model);
    const wisp = await Wisp.load(model, { ...settings, threads: 1 });
    const { weights, kv } = await wisp.memory();
    const pairs = Number(await wisp.metadata('llama.rope.dimension_count')) / 2;
    await wisp.dispose();
    const factored = await memory(withTensor(model, 'rope_freqs.weight', new Float32Array(pairs).fill(1)));
    assert.equal(factored.kv, told.kv, 'factors of RoPE, which lie among the weights, are read');
    assert.equal(kv, told.kv);
    const expected = told.weights + told.in_place;
    assert.ok(Math.abs(weights - expected) < 0.001 * expected, `${weights} bytes of weights, and the header told ${expected}`);
  });

  test('a split model in any order of its parts is the whole one', async () => {
    const answer = async (source: Uint8Array | File[]): Promise<string> => {
      const wisp = await Wisp.load(source, { device: 'cpu', context: 256, threads: 1 });
      const { choices } = await wisp.completions.create({ prompt: 'Once upon a time', max_tokens: 24, temperature: 0 });
      await wisp.dispose();
      return choices[0]!.text;
    };
    const parts = splitModel(model, 24).map((bytes, part) => new File([bytes], `m-${String(part + 1).padStart(5, '0')}-of-00024.gguf`));
    assert.equal(await answer([...parts.slice(7), ...parts.slice(0, 7)]), await answer(model));
    await assert.rejects(answer(parts.slice(1)), (error: Error & { code?: string }) => error.code === 'invalid_argument' && error.message.includes('24 parts, and 23 were given'));
  });

  test('what is for pages can be imported where a page is rendered, and says why it loads nothing', async () => {
    const page = await import(new URL('web/dist/index.js', root).href) as typeof import('../../src/index.js');
    await assert.rejects(page.Wisp.load(model), (error: Error & { code?: string }) => error.code === 'unsupported' && error.message.includes('workers'));
    assert.throws(() => page.Wisp.models(), page.WispError);
  });

  test('a load that failed at its end gives its lock back', async () => {
    const server = await startServer();
    const folder = await mkdtemp(`${tmpdir()}/wisp-failed-`);
    try {
      const remarks: string[] = [];
      const options = { device: 'cpu', threads: 1, folder, onRemark: (remark: string): unknown => remarks.push(remark) } as const;
      const isRefused = (error: Error & { code?: string }): boolean => ['invalid_file', 'unsupported'].includes(error.code ?? '');
      for (let size = 1000; size < 300_000; size *= 4) {
        server.files.set(`/${size}.gguf`, modelBytes(size));
        await assert.rejects(Wisp.load(`${server.url}/${size}.gguf`, { ...options, sha256: '0'.repeat(64) }), isRefused);
        await assert.rejects(Wisp.load(`${server.url}/${size}.gguf`, options), isRefused);
      }
      assert.deepEqual(remarks.filter(remark => remark.includes('another tab')), []);
    } finally {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('an address that had half a file is asked again', async () => {
    const server = await startServer();
    const folder = await mkdtemp(`${tmpdir()}/wisp-half-`);
    try {
      const options = { device: 'cpu', threads: 1, folder } as const;
      server.files.set('/m.gguf', model.slice(0, model.length / 2));
      await assert.rejects(Wisp.load(`${server.url}/m.gguf`, options), (error: Error & { code?: string }) => error.code === 'invalid_file');
      server.files.set('/m.gguf', model);
      await (await Wisp.load(`${server.url}/m.gguf`, options)).dispose();
    } finally {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('factors of RoPE, which lie among the weights, are there before them', async () => {
    const asked = async <T>(source: Uint8Array, ask: (wisp: import('../../src/node.js').Wisp) => Promise<T>): Promise<T> => {
      const wisp = await Wisp.load(source, { device: 'cpu', threads: 1, context: 128 });
      try {
        return await ask(wisp);
      } finally {
        await wisp.dispose();
      }
    };
    const textOf = (source: Uint8Array): Promise<string> =>
      asked(source, async wisp => (await wisp.completions.create({ prompt: 'Once upon a time', max_tokens: 24, temperature: 0 })).choices[0]!.text);
    const pairs = await asked(model, async wisp => Number(await wisp.metadata('llama.rope.dimension_count'))) / 2;
    const plain = await textOf(model);
    assert.equal(await textOf(withTensor(model, 'rope_freqs.weight', new Float32Array(pairs).fill(1))), plain);
    // They are taken, too.
    assert.notEqual(await textOf(withTensor(model, 'rope_freqs.weight', new Float32Array(pairs).fill(30))), plain);
  });

  test('what the engine says is what the page hears', async () => {
    const wisp = await Wisp.load(model, { device: 'cpu' });
    const remarks = wisp.info().remarks;
    assert.ok(remarks.some(remark => remark.includes('relaxed')), 'Node has no relaxed SIMD');
    await wisp.dispose();
    await assert.rejects(Wisp.load(model, { device: 'gpu' }), (error: Error & { code?: string }) => error.code === 'device');
  });
}
