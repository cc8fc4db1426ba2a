// Which quantisation of a repository this device can run: asked for each one, largest first, before it is fetched. The
// quantisations of a repository differ in their weights alone, so one header tells what lies beside those of all.
import type { Candidate, Fit, Fits } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import type { LoadSettings } from '../protocol.js';
import { MAX_SEQUENCES, memoryOf, type Memory } from './header.js';
import { MODULE_BYTES } from './limits.js';
import type { Way } from './loader.js';
import { gpuGives } from './probe.js';

// Each part of a split model has a header of its own. Of more parts than this none is fetched only to choose.
const MOST_PARTS = 32;
// Where no header can be read: keys and values, activations and what the module itself takes.
const GUESSED_SHARE = 0.1; // of the weights
const GUESSED_BYTES = 256 * 2 ** 20;
// On a GPU: uploads on their way, and what steps and samplers need beside the activations.
const GPU_BESIDE_BYTES = 128 * 2 ** 20;
// The engine leaves a tenth of a device free.
const USABLE_SHARE = 0.9;

/** What a header told, and the size of its file. */
interface Known {
  memory: Memory;
  bytes: number;
}

/** Whether there is room for so many bytes, and in words what the device says. */
type Room = (needs: number) => Promise<{ fits: boolean; of?: number; said?: string }>;

export function fitsOn(platform: Platform, way: Way, settings: LoadSettings, read = memoryOf): Fits {
  const room: Room = way.device === 'gpu' && platform.gpu ? roomOnGpu(platform.gpu) : roomInModule;
  let known: Known | undefined;
  let isUnread = false;
  const ask = async (needs: number, counted: string): Promise<Exclude<Fit, boolean>> => {
    const { said, ...answer } = await room(needs);
    return { ...answer, needs, why: said === undefined ? counted : `${counted}; ${said}` };
  };
  return async (candidate: Candidate): Promise<Fit> => {
    if (!known && !isUnread && candidate.parts <= MOST_PARTS) {
      // Whose weights alone are too much is not asked for its header.
      const least = await ask(candidate.bytes, 'keys and values not counted');
      if (!least.fits) return least;
      const memory = await read(platform, way, candidate, settings).catch(() => undefined); // its load will tell what is wrong
      if (memory) known = { memory, bytes: candidate.bytes };
      else isUnread = true;
    }
    if (!known) return ask(Math.ceil(candidate.bytes * (1 + GUESSED_SHARE) + GUESSED_BYTES), 'keys and values are guessed: no header was read');
    const counted = `keys and values of ${known.memory.context} tokens as ${settings.kv ?? 'f16'} are counted`;
    return ask(needsOf(candidate, known, way, settings), counted);
  };
}

function needsOf({ bytes }: Candidate, { memory, bytes: knownBytes }: Known, { device }: Way, settings: LoadSettings): number {
  // On the CPU a context that was named has to fit for all answers at once. Else one as long as that is enough: the engine
  // makes do with what there is.
  const isForAll = device === 'cpu' && settings.context !== undefined;
  const kv = isForAll ? memory.kv : memory.kv / (settings.maxSequences ?? MAX_SEQUENCES);
  const weights = device === 'gpu' ? bytes + GPU_BESIDE_BYTES : (memory.weights + memory.in_place) * (bytes / knownBytes);
  return Math.ceil(weights + kv + memory.total - memory.weights - memory.kv);
}

function roomOnGpu(gpu: GPU): Room {
  let given = 0; // at most, so far
  let most = Infinity; // what it gave when it refused more
  return async needs => {
    const asked = Math.ceil(needs / USABLE_SHARE);
    if (asked > given && asked <= most) {
      const now = await gpuGives(gpu, asked).catch(() => 0);
      given = Math.max(given, now);
      if (now < asked) most = now;
    }
    if (asked <= given) return { fits: true, said: 'the GPU gives the memory for it' };
    return { fits: false, of: Math.floor(most * USABLE_SHARE), said: 'the GPU does not give more' };
  };
}

const roomInModule: Room = async needs => {
  // The browser tells at most 8 GB, and Firefox and Safari nothing; half of it is for the rest of the machine.
  const told = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
  const of = Math.min(MODULE_BYTES, told === undefined || told >= 8 ? MODULE_BYTES : told * 2 ** 29);
  return { fits: needs <= of, of };
};
