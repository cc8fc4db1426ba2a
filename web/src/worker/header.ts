// The header of a model: what the engine tells by it, before any weights are here.
import { WispModule } from '../module/module.js';
import { ModelError, type Candidate } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import type { LoadSettings } from '../protocol.js';
import { feed } from './feeding.js';
import type { Way } from './loader.js';
import { Native } from './native.js';
import type { Range } from './parts.js';

const FIRST_BYTES = 1 << 20; // asked for first; more, by twice as much, where the header is longer
const MOST_BYTES = 64 << 20; // of a file that may not be the one that is taken
export const MAX_SEQUENCES = 4; // where the caller names no number
/** Tokens that a model of a repository is chosen for, where the caller names no context. */
const CHOSEN_FOR = 2048;

/** Of wisp_model_describe(). */
export interface Described {
  architecture: string;
  name?: string;
  supported: boolean;
  layers?: number;
  context?: number;
  parameters?: number;
  chat_template: boolean;
}

/** Of wisp_model_memory(), in bytes; `context` in tokens. */
export interface Memory {
  weights: number;
  /** Of all sequences together. */
  kv: number;
  total: number;
  /** Weights that are not in `total`, as they may stay in a file; a module has none, and holds them. */
  in_place: number;
  context: number;
}

export const bytesInModule = (memory: Memory): number => memory.total + memory.in_place;

/** Opens the model of a source of `size` bytes; `more` feeds it a range. */
export async function openModel(native: Native, source: number, size: number, more: (range: Range) => Promise<void>): Promise<number> {
  for (let ahead = FIRST_BYTES;; ahead *= 2) {
    const model = native.tryMake('wisp_model_open', source);
    if (model !== 0) return model;
    const [offset, count] = native.outPair('wisp_source_wanted', source);
    const end = Math.min(Math.max(offset + count, offset + ahead), size);
    await more({ offset, count: end - offset });
  }
}

/**
 * What `ask` gives, once it does; `more` feeds a range. What is asked of a model that is open needs no weights but those that
 * shape its graph: factors of RoPE, which may lie anywhere in the file.
 */
export async function onceFed<T>(native: Native, source: number, ask: () => T | undefined, more: (range: Range) => Promise<void>): Promise<T> {
  for (;;) {
    const made = ask();
    if (made) return made;
    const [offset, count] = native.outPair('wisp_source_wanted', source);
    await more({ offset, count });
  }
}

/** For wisp_options_set_json(), but the device. */
export function optionsOf(settings: LoadSettings, context: number, kv = settings.kv): Record<string, unknown> {
  return {
    max_sequences: settings.maxSequences ?? MAX_SEQUENCES, context,
    ...(kv && { kv }),
    ...(settings.embeddings && { output: 'embeddings' }),
    ...settings.options,
  };
}

/** What a model in one file that is not here yet would take on the CPU: only its header is fetched. */
export async function memoryOf(platform: Platform, way: Way, candidate: Candidate, settings: LoadSettings): Promise<Memory> {
  const module = await WispModule.open(platform, way.variant, 1);
  const native = new Native(module);
  // What is made here goes with the module's memory.
  try {
    const source = native.make('wisp_source_from_pieces', BigInt(candidate.bytes));
    const more = async ({ offset, count }: Range): Promise<void> => {
      if (offset + count > MOST_BYTES) throw new ModelError('limit', `what shapes the model lies ${offset} bytes into its file`);
      feed(module, native, source, offset, (await candidate.readStart(offset + count)).subarray(offset));
    };
    const model = await openModel(native, source, candidate.bytes, more);
    const { context = CHOSEN_FOR } = native.json<Described>('wisp_model_describe', model);
    const options = module.call('wisp_options_create');
    native.set(options, 'wisp_options_set_json', optionsOf(settings, settings.context ?? Math.min(CHOSEN_FOR, context)));
    return await onceFed(native, source, () => native.tryJson<Memory>('wisp_model_memory', model, options), more);
  } finally {
    module.close();
  }
}
