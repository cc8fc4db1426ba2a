// The header of a model: what the engine tells by it, before any weights are here.
import { WispModule } from '../module/module.js';
import { ModelError, type Candidate } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import type { LoadSettings } from '../protocol.js';
import { feed } from './feeding.js';
import type { Way } from './loader.js';
import { Native } from './native.js';
import { Parts, type Range } from './parts.js';

const FIRST_BYTES = 1 << 20; // asked for first; more, by twice as much, where the header is longer
const OTHER_BYTES = 1 << 16; // the same of further parts, which have no vocabulary
const MOST_BYTES = 64 << 20; // of a part that may not be of the model that is taken
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

/** A source of such parts, none of whose bytes are there yet. */
export function openSource(native: Native, { files: [first, ...others] }: Parts): number {
  if (!first) throw new ModelError('invalid_argument', 'the model has no file');
  const source = native.make('wisp_source_from_pieces', BigInt(first.size));
  for (const { size } of others) native.do('wisp_source_add_part', source, BigInt(size));
  return source;
}

/** Opens the model of a source of `size` bytes; `more` feeds it a range. */
export async function openModel(native: Native, source: number, size: number, more: (range: Range) => Promise<void>): Promise<number> {
  for (let ahead = 0, start = 0, end = 0;;) {
    const model = native.tryMake('wisp_model_open', source);
    if (model !== 0) return model;
    const [offset, count] = native.outPair('wisp_source_wanted', source);
    const goesOn = offset >= start && offset <= end;
    ahead = offset === 0 ? FIRST_BYTES : goesOn ? 2 * ahead : OTHER_BYTES;
    start = offset;
    end = Math.min(Math.max(offset + count, offset + ahead), size);
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

/** What a model that is not here yet would take on the CPU: only the headers of its parts are fetched. */
export async function memoryOf(platform: Platform, way: Way, candidate: Candidate, settings: LoadSettings): Promise<Memory> {
  const module = await WispModule.open(platform, way.variant, 1);
  const native = new Native(module);
  // What is made here goes with the module's memory.
  try {
    const parts = new Parts(candidate.sizes.map((size, part) => ({ size, read: async (offset: number, count: number) => {
      if (offset + count > MOST_BYTES) throw new ModelError('limit', `what shapes the model lies ${offset} bytes into its file`);
      return (await candidate.readStart(offset + count, part)).subarray(offset);
    } })));
    const source = openSource(native, parts);
    const more = async (range: Range): Promise<void> => {
      let at = range.offset;
      for (const bytes of await parts.read(range)) {
        feed(module, native, source, at, bytes);
        at += bytes.length;
      }
    };
    const model = await openModel(native, source, parts.size, more);
    const { context = CHOSEN_FOR } = native.json<Described>('wisp_model_describe', model);
    const options = module.call('wisp_options_create');
    native.set(options, 'wisp_options_set_json', optionsOf(settings, settings.context ?? Math.min(CHOSEN_FOR, context)));
    return await onceFed(native, source, () => native.tryJson<Memory>('wisp_model_memory', model, options), more);
  } finally {
    module.close();
  }
}
