// Which type of a repository a device is given, by what its memory, or its GPU, really gives.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { chooseThatFits, type Candidate, type Fits } from '../../src/models/choice.js';
import { fitsOn } from '../../src/worker/fits.js';
import { memoryOf, type Memory } from '../../src/worker/header.js';
import { gpuGives } from '../../src/worker/probe.js';
import type { Platform } from '../../src/platform/platform.js';
import { splitModel } from '../package/split.js';

const GIB = 2 ** 30;
globalThis.GPUBufferUsage ??= { STORAGE: 0x80 } as typeof GPUBufferUsage;

/** A GPU that has so many bytes, and counts what is not given back. */
class FakeGpu {
  held = 0;
  trials = 0;
  constructor(readonly memory: number, readonly maxBufferSize = 4 * GIB) {}

  async requestAdapter(): Promise<unknown> {
    return { limits: { maxBufferSize: this.maxBufferSize }, requestDevice: async () => this.#device() };
  }

  #device(): unknown {
    this.trials += 1;
    const errors: (object | null)[] = [];
    return {
      pushErrorScope: () => errors.push(null),
      popErrorScope: async () => errors.pop(),
      createBuffer: ({ size }: { size: number }) => {
        if (this.held + size > this.memory) {
          errors[0] = { message: 'out of memory' };
          return { destroy: () => {} };
        }
        this.held += size;
        return { destroy: () => { this.held -= size; } };
      },
      destroy: () => {},
    };
  }
}

const platform = (gpu: FakeGpu | undefined): Platform => ({ gpu, processors: 4 }) as unknown as Platform;
const GPU = { device: 'gpu', variant: 'simd', threads: 1 } as const;
const CPU = { device: 'cpu', variant: 'simd', threads: 4 } as const;

type Sizes = readonly (readonly [type: string, bytes: number, parts?: number])[];
const REPOSITORY: Sizes = [['F16', 16 * GIB], ['Q8_0', 8.5 * GIB], ['Q4_K_M', 4.9 * GIB], ['Q2_K', 3 * GIB]];

/** Headers of a model whose keys and values take `kvBytes` a token; counts those that are read. */
class FakeHeaders {
  readonly read: string[] = [];
  constructor(readonly kvBytes: number) {}

  readonly memoryOf: typeof memoryOf = async (_platform, _way, { type, bytes }, settings) => {
    this.read.push(type);
    const context = settings.context ?? 2048;
    const kv = this.kvBytes * context * (settings.maxSequences ?? 4) * (settings.kv === 'q8_0' ? 0.53 : 1);
    return { weights: 0.9 * bytes, in_place: 0.1 * bytes, kv, total: 0.9 * bytes + kv + 0.1 * GIB, context };
  };
}
const KIB = 1024;
/** No header can be read. */
const unreadable: typeof memoryOf = () => Promise.reject(new Error('planted'));

async function choose(fits: Fits, sizes = REPOSITORY): Promise<string> {
  const models = sizes.map(([type, bytes, parts = 1]) => ({ stem: `m-${type}`, type, parts,
    files: Array.from({ length: parts }, (_, part) => ({ path: `m-${type}-${part}.gguf`, size: bytes / parts, sha256: '' })) }));
  const candidates = new Map<string, Candidate>(sizes.map(([type, bytes, parts = 1]) => [`m-${type}`,
    { stem: `m-${type}`, type, bytes, parts, sizes: Array.from({ length: parts }, () => bytes / parts), name: `o/r:${type}`, stored: false, readStart: () => Promise.reject(new Error('not asked')) }]));
  const listing = { models } as unknown as Parameters<typeof chooseThatFits>[0];
  return (await chooseThatFits(listing, model => candidates.get(model.stem)!, fits)).why;
}

test('a GPU is asked for what it gives, and gives it all back', async () => {
  for (const memory of [0.5 * GIB, 3.3 * GIB, 20 * GIB]) {
    const gpu = new FakeGpu(memory);
    const given = await gpuGives(gpu as unknown as GPU, 8 * GIB);
    assert.ok(given <= memory && given >= Math.min(8 * GIB, memory - 2 ** 26), `${given} of ${memory}`);
    assert.equal(gpu.held, 0);
  }
  // Buffers may not be larger than the adapter says.
  assert.equal(await gpuGives(new FakeGpu(2 * GIB, GIB / 4) as unknown as GPU, GIB), GIB);
});

test('the largest type that the GPU gives memory for, beside keys, values and a tenth that stays free', async () => {
  const chosen = (memory: number, settings: object = {}, kvBytes = 128 * KIB): Promise<string> =>
    choose(fitsOn(platform(new FakeGpu(memory * GIB)), GPU, { device: 'gpu', ...settings }, new FakeHeaders(kvBytes).memoryOf));
  assert.match(await chosen(12), /^Q8_0 .*the largest of 4 .*keys and values of 2048 tokens as f16 are counted; the GPU gives the memory/);
  assert.match(await chosen(8), /^Q4_K_M /);
  // 4.9 GiB and what lies beside them are more than nine tenths of 5.9.
  assert.match(await chosen(5.9), /^Q2_K /);
  await assert.rejects(chosen(2), /none of .*would take 3\.0 GiB of 1\.8 GiB; .*the GPU does not give more/);
  // A long conversation takes the place of weights: 4 GiB of keys and values, and half of that as q8_0.
  assert.match(await chosen(12, { context: 32_768 }), /^Q4_K_M .*it takes 9\.1 GiB; keys and values of 32768 tokens as f16/);
  assert.match(await chosen(12.2, { context: 32_768, kv: 'q8_0' }), /^Q8_0 .*32768 tokens as q8_0/);
  // So do those of a model with a head of keys for each of queries.
  assert.match(await chosen(12, {}, 2 * 1024 * KIB), /^Q4_K_M /);
});

test('one header is read for all types, of the largest whose weights there is room for', async () => {
  const gpu = new FakeGpu(6 * GIB);
  const headers = new FakeHeaders(512 * KIB);
  const why = await choose(fitsOn(platform(gpu), GPU, { device: 'gpu' }, headers.memoryOf));
  assert.match(why, /^Q2_K .*; Q4_K_M would take 6\.\d GiB/);
  assert.deepEqual(headers.read, ['Q4_K_M']);
});

test('where no header can be read keys and values are guessed, and that is told', async () => {
  assert.match(await choose(fitsOn(platform(new FakeGpu(12 * GIB)), GPU, { device: 'gpu' }, unreadable)), /^Q8_0 .*guessed: no header was read/);
  assert.match(await choose(fitsOn(platform(new FakeGpu(6 * GIB)), GPU, { device: 'gpu' }, unreadable)), /^Q2_K /);
  // Of very many parts none is asked, only to choose.
  const headers = new FakeHeaders(0);
  const split = (parts: number): Promise<string> => choose(fitsOn(platform(new FakeGpu(12 * GIB)), GPU, { device: 'gpu' }, headers.memoryOf),
    REPOSITORY.map(([type, bytes]) => [type, bytes, parts] as const));
  assert.match(await split(33), /^Q8_0 .*guessed/);
  assert.deepEqual(headers.read, []);
  assert.match(await split(32), /^Q8_0 .*are counted/);
});

test('what a GPU gave and refused once it is not asked for again', async () => {
  const gpu = new FakeGpu(6 * GIB);
  await choose(fitsOn(platform(gpu), GPU, { device: 'gpu' }, new FakeHeaders(64 * KIB).memoryOf));
  // F16 was refused, and 6 GiB given: that is enough for Q4_K_M, and Q8_0 is known to be too large.
  assert.equal(gpu.trials, 1);
});

test('on the CPU a module of 32-bit addresses is the bound', async () => {
  const chosen = (settings: object, kvBytes = 128 * KIB): Promise<string> =>
    choose(fitsOn(platform(undefined), CPU, { device: 'cpu', ...settings }, new FakeHeaders(kvBytes).memoryOf));
  assert.match(await chosen({}), /^Q2_K .*it takes 3\.\d+ GiB of 3\.\d+ GiB; keys and values of 2048 tokens as f16 are counted; Q4_K_M would take/);
  // The loader wants a context that was named for all answers at once: 4 of 4,096 tokens are 2 GiB.
  await assert.rejects(chosen({ context: 4096 }), /none of .*would take 5\.1 GiB of 3\.8 GiB/);
  assert.match(await chosen({ context: 4096, maxSequences: 1 }), /^Q2_K /);
});

const root = new URL('../../../../', import.meta.url);
const stories = new Uint8Array(readFileSync(new URL('models/wisp-stories.gguf', root)));

/** What the headers of such parts tell, and how many bytes of each were asked for. */
async function told(parts: Uint8Array<ArrayBuffer>[], settings: object): Promise<{ memory: Memory; asked: number[] }> {
  const loadModule = async (): Promise<WebAssembly.Module> => WebAssembly.compile(readFileSync(new URL('build/wasm/wisp-single.wasm', root)));
  const asked = parts.map(() => 0);
  const candidate = { sizes: parts.map(({ length }) => length), readStart: async (count: number, part: number) => {
    asked[part] = Math.max(asked[part]!, count);
    return parts[part]!.slice(0, count);
  } } as unknown as Candidate;
  const way = { device: 'cpu', variant: 'single', threads: 1 } as const;
  return { memory: await memoryOf({ loadModule } as unknown as Platform, way, candidate, { device: 'cpu', ...settings }), asked };
}

test('a header tells what the engine will take', async () => {
  const { memory, asked } = await told([stories], {});
  assert.equal(memory.context, 1024, 'what the model was trained for');
  // 8 layers with 2 heads of 64 keys and as many values, in 2 bytes, for 4 conversations.
  assert.equal(memory.kv, 8 * 2 * 64 * 2 * 2 * 1024 * 4);
  assert.ok(memory.weights > 0.7 * stories.length && memory.weights + memory.in_place < 1.2 * stories.length, `${memory.weights}`);
  assert.ok(asked.every(count => count <= 1 << 20), `${asked}: the header is enough`);
  assert.equal((await told([stories], { context: 512, maxSequences: 1, kv: 'f32' })).memory.kv, 8 * 2 * 64 * 2 * 4 * 512);
});

test('so do the headers of a split model, of which little is asked for', async () => {
  const whole = await told([stories], {});
  for (const parts of [2, 5, 24]) {
    const { memory, asked } = await told(splitModel(stories, parts), {});
    assert.deepEqual(memory, whole.memory, `${parts} parts`);
    // The first has the vocabulary, and what is asked for beside that may reach into the second.
    assert.ok(asked.slice(2).every(count => count <= 1 << 16), `${asked}`);
  }
});
