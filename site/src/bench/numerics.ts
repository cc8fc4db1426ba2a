// Does this device compute what another does? Greedy tokens of the loaded engine and of a second one, up to the first step where
// the second's two best tokens are too near for their order to mean anything.
import { loadPackage, type Wisp } from '../package.js';

const PROMPT = 'Once upon a time';
const TOKENS = 48;
const MOST_SCALAR_BYTES = 300e6;
const NEAR_TIE = 0.3; // of log-probabilities, for quantised weights: as in the engine's own tests

export interface Comparison {
  /** What was compared. */
  text: string;
  equal: number;
  compared: number;
  /** The largest difference of a chosen token's log-probability. */
  worst: number;
}

interface Step { token: string; odds: number; margin: number }

async function greedy(wisp: Wisp, signal: AbortSignal): Promise<Step[]> {
  const { choices } = await wisp.completions.create({ prompt: PROMPT, max_tokens: TOKENS, temperature: 0, ignore_end: true, logprobs: 2 }, { signal });
  const { tokens = [], token_logprobs: odds = [], top_logprobs: tops = [] } = choices[0]?.logprobs ?? {};
  return tokens.map((token, index) => {
    const [best = 0, second = -Infinity] = Object.values(tops[index] ?? {}).sort((a, b) => b - a);
    return { token, odds: odds[index] ?? NaN, margin: best - second };
  });
}

export async function compareNumerics(wisp: Wisp, signal: AbortSignal): Promise<Comparison> {
  const { executor, model } = wisp.info();
  const { Wisp: Loader } = await loadPackage();
  // The other is the slow scalar executor that every backend is held to, as long as it is not too slow for the model.
  const isSmall = model.bytes < MOST_SCALAR_BYTES;
  const other = await Loader.load(model.source, { device: 'cpu', context: 256, maxSequences: 1, ...(isSmall && { options: { device: 'reference' } }), signal });
  try {
    const [mine, its] = [await greedy(wisp, signal), await greedy(other, signal)];
    let compared = its.findIndex(({ margin }) => margin < NEAR_TIE);
    if (compared < 0) compared = its.length;
    let equal = 0;
    while (equal < compared && mine[equal]?.token === its[equal]!.token) ++equal;
    const worst = Math.max(0, ...its.slice(0, equal).map(({ odds }, index) => Math.abs(odds - mine[index]!.odds)));
    return { text: `greedy tokens after “${PROMPT}”: ${executor} with ${isSmall ? 'the scalar reference' : other.info().executor}; ${compared} of ${its.length} steps were compared, up to the first near tie`, equal, compared, worst };
  } finally {
    await other.dispose();
  }
}
