// Which type of a repository a device is given, by what its memory, or its GPU, really gives.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chooseThatFits, type Candidate } from '../../src/models/choice.js';
import { fitsOn } from '../../src/worker/fits.js';
import { gpuGives } from '../../src/worker/probe.js';
import type { Platform } from '../../src/platform/platform.js';

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
const candidate = (type: string, bytes: number): Candidate => ({ stem: `m-${type}`, type, bytes, parts: 1, name: `o/r:${type}`, stored: false,
  readStart: () => Promise.reject(new Error('no header is needed')) });
const REPOSITORY = [['F16', 16 * GIB], ['Q8_0', 8.5 * GIB], ['Q4_K_M', 4.9 * GIB], ['Q2_K', 3 * GIB]] as const;

async function choose(fits: ReturnType<typeof fitsOn>): Promise<string> {
  const models = REPOSITORY.map(([type, bytes]) => ({ stem: `m-${type}`, type, parts: 1, files: [{ path: `m-${type}.gguf`, size: bytes, sha256: '' }] }));
  const candidates = new Map(REPOSITORY.map(([type, bytes]) => [`m-${type}`, candidate(type, bytes)]));
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
  const way = { device: 'gpu', variant: 'simd', threads: 1 } as const;
  assert.match(await choose(fitsOn(platform(new FakeGpu(12 * GIB)), way)), /^Q8_0 .*the largest of 4 .*the GPU gives the memory/);
  assert.match(await choose(fitsOn(platform(new FakeGpu(8 * GIB)), way)), /^Q4_K_M /);
  // 4.9 GiB and what lies beside them are more than nine tenths of 6.
  assert.match(await choose(fitsOn(platform(new FakeGpu(6 * GIB)), way)), /^Q2_K /);
  await assert.rejects(choose(fitsOn(platform(new FakeGpu(2 * GIB)), way)), /none of .*would take 3\.\d+ GiB of 1\.8 GiB; the GPU does not give more/);
});

test('what a GPU refused once it is not asked for again', async () => {
  const gpu = new FakeGpu(6 * GIB);
  await choose(fitsOn(platform(gpu), { device: 'gpu', variant: 'simd', threads: 1 }));
  // One that was refused, and one that was given; those between are known to be too large.
  assert.equal(gpu.trials, 2);
});

test('on the CPU a module of 32-bit addresses is the bound', async () => {
  const why = await choose(fitsOn(platform(undefined), { device: 'cpu', variant: 'simd', threads: 4 }));
  assert.match(why, /^Q2_K .*it takes 3\.\d+ GiB of 3\.\d+ GiB; Q4_K_M would take/);
});
