// wisp.embeddings: texts as vectors, of a model that was loaded for it (`embeddings: true`).
import type { CallOptions, Surroundings } from './calls.js';
import { WispError } from './errors.js';
import type { EmbeddingRequest } from './requests.js';
import type { EmbeddingResponse } from './responses.js';

/**
 * `wisp.embeddings`: texts as vectors.
 * @category Embeddings
 * @hideconstructor
 */
export class Embeddings {
  readonly #wisp: Surroundings;
  constructor(wisp: Surroundings) {
    this.#wisp = wisp;
  }

  /**
   * A vector for each input, all computed together; each is that of its text alone. Rejects with a `WispError`:
   * `invalid_argument` where the model was not loaded with `embeddings: true`, `limit` for a text that does not fit the context.
   * @param request What is asked
   * @param options A signal that ends it
   */
  async create(request: EmbeddingRequest, options: CallOptions = {}): Promise<EmbeddingResponse> {
    const inputs = inputsOf(request?.input);
    const format = request.encoding_format ?? 'float';
    if (format !== 'float' && format !== 'base64') {
      throw new WispError('invalid_argument', `encoding_format is '${String(format)}', expected float or base64`);
    }
    const pooling = request.pooling ?? 'model';
    // The engine knows one more, which gives a vector for each token: no embedding as these are.
    if (!['model', 'last', 'mean', 'cls'].includes(pooling)) {
      throw new WispError('invalid_argument', `pooling is '${String(pooling)}', expected last, mean or cls`);
    }
    const { vectors: whole, promptTokens } = await this.#wisp.line.call(
      'embed', [inputs, pooling, request.normalize ?? true], { signal: options.signal });
    const vectors = request.dimensions === undefined || request.dimensions === null ? whole : whole.map(vector => shortened(vector, request));
    return {
      object: 'list', model: this.#wisp.modelName,
      data: vectors.map((vector, index) => ({
        object: 'embedding', index,
        // Where base64 was asked for, the clients of OpenAI's interface expect a text in place of the list.
        embedding: format === 'base64' ? (base64Of(vector) as unknown as number[]) : [...vector],
      })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    };
  }
}

function inputsOf(input: EmbeddingRequest['input']): (string | number[])[] {
  if (typeof input === 'string') return [input];
  const areTokens = (item: unknown): boolean => Array.isArray(item) && item.every(id => typeof id === 'number');
  if (areTokens(input)) return [input as number[]];
  if (!Array.isArray(input) || !(input as unknown[]).every(item => typeof item === 'string' || areTokens(item))) {
    throw new WispError('invalid_argument', 'input is neither a text, nor token ids, nor a list of one of these');
  }
  return input as (string | number[])[];
}

/** The first values, of length 1 again where the whole was: what models trained for it (Matryoshka) still mean something by. */
function shortened(vector: Float32Array, { dimensions = 0, normalize = true }: EmbeddingRequest): Float32Array {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > vector.length) {
    throw new WispError('invalid_argument', `dimensions is ${dimensions}, and this model's vectors have ${vector.length}`);
  }
  const kept = vector.slice(0, dimensions);
  const length = Math.hypot(...kept);
  return normalize && length > 0 ? kept.map(value => value / length) : kept;
}

/** Little-endian floats, as OpenAI's servers send them. */
function base64Of(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
