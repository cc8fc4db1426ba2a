// Which quantisation of a repository this device can run: asked for each one, largest first, before it is fetched.
import type { Candidate, Fit, Fits } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import { MODULE_BYTES } from './limits.js';
import type { Way } from './loader.js';
import { gpuGives } from './probe.js';

// Keys and values, activations and what the module itself takes, as a share of the weights and at least so much.
const BESIDE_SHARE = 0.1;
const BESIDE_BYTES = 256 * 2 ** 20;
// The engine leaves a tenth of a device free.
const USABLE_SHARE = 0.9;

export function fitsOn(platform: Platform, way: Way): Fits {
  let most = Infinity; // what the GPU gave when it refused more
  return async (candidate: Candidate): Promise<Fit> => {
    const needs = Math.ceil(candidate.bytes * (1 + BESIDE_SHARE) + BESIDE_BYTES);
    if (way.device === 'gpu' && platform.gpu) {
      const asked = Math.ceil(needs / USABLE_SHARE);
      if (asked <= most) {
        const given = await gpuGives(platform.gpu, asked).catch(() => 0);
        if (given >= asked) return { fits: true, needs, why: 'the GPU gives the memory for it' };
        most = given;
      }
      return { fits: false, needs, of: Math.floor(most * USABLE_SHARE), why: 'the GPU does not give more' };
    }
    // The browser tells at most 8 GB, and Firefox and Safari nothing; half of it is for the rest of the machine.
    const told = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
    const of = Math.min(MODULE_BYTES, told === undefined || told >= 8 ? MODULE_BYTES : told * 2 ** 29);
    return { fits: needs <= of, needs, of };
  };
}
