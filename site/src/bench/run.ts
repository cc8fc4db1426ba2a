// Speed of the loaded model as a user has it: tokens a second of prompts and of answers, over sizes. Times are the page's, so what the
// way through the worker costs is in them.
import type { Wisp } from '../package.js';

export interface Row {
  /** Tokens of the prompt, or tokens that lie before the ones that are made. */
  size: number;
  prefill: number;
  decode: number;
  firstMilliseconds: number;
}

const PROMPT_SIZES = [16, 64, 256, 512, 1024, 2048, 4096];
const DECODE_TOKENS = 32;
const REPEATS = 3;

const TEXT = `In a small town by the sea there lived a girl who kept a list of every colour she had ever seen. Each morning she walked down
to the harbour, asked the fishermen what the water looked like far out, and wrote down what they said. `;

/** Ids that no earlier prompt began with: nothing of them is in the cache of prefixes. */
function freshPrompt(ids: readonly number[], size: number): number[] {
  const begin = crypto.getRandomValues(new Uint32Array(2));
  const step = 1 + (begin[1]! % (ids.length - 1));
  return Array.from({ length: size }, (_, index) => ids[(begin[0]! + index * step + (index % 7)) % ids.length]!);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

async function measureOnce(wisp: Wisp, prompt: number[], signal: AbortSignal): Promise<{ first: number; decode: number }> {
  const begun = performance.now();
  let first = 0;
  let tokens = 0;
  const stream = await wisp.completions.create({
    prompt, max_tokens: DECODE_TOKENS, temperature: 0, ignore_end: true, stream: true, stream_options: { include_usage: true },
  }, { signal });
  for await (const { choices, usage } of stream) {
    if (choices.length > 0) first ||= performance.now();
    if (usage) tokens = usage.completion_tokens;
  }
  const ended = performance.now();
  return { first: first - begun, decode: ((tokens - 1) * 1000) / (ended - first) };
}

/** The median of some runs for each size that fits the context. The first, smallest run warms up and is not counted. */
export async function measureSpeed(wisp: Wisp, onRow: (rows: readonly Row[], left: number) => void, signal: AbortSignal): Promise<Row[]> {
  const ids = [...new Set(await wisp.tokenize(TEXT))];
  const sizes = PROMPT_SIZES.filter(size => size + DECODE_TOKENS <= wisp.info().context);
  await measureOnce(wisp, freshPrompt(ids, sizes[0] ?? 8), signal);
  const rows: Row[] = [];
  for (const size of sizes) {
    const runs = [];
    for (let run = 0; run < REPEATS; ++run) runs.push(await measureOnce(wisp, freshPrompt(ids, size), signal));
    const first = median(runs.map(run => run.first));
    rows.push({ size, prefill: (size * 1000) / first, decode: median(runs.map(run => run.decode)), firstMilliseconds: first });
    onRow(rows, sizes.length - rows.length);
    if (first > 20_000) break; // the next sizes would take minutes
  }
  return rows;
}
