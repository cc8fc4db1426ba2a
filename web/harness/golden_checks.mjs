// The reference data that the native tests compare with (tests/golden_logits_test.cpp), through the modules:
//   F32 files:        |difference| <= 1e-3 of the largest |logit|, the same argmax
//   quantised files:  RMS distance to `logits_exact` at most 1.25 times the reference's own
//   greedy ids:       equal up to the first step whose margin is below 0.02 (F32) or 0.3 (quantised)
import { expect } from './expect.mjs';
import { Model } from './model.mjs';

export const NO_DATA = 'WISP_TEST_DATA is not set';

const TYPES = ['f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q2_k', 'q3_k', 'q4_k', 'q5_k', 'q6_k'];
const MIXES = ['q2_k', 'q2_k_s', 'q3_k_s', 'q3_k_m', 'q3_k_l', 'q4_0', 'q4_1', 'q4_k_s', 'q4_k_m', 'q5_0', 'q5_1', 'q5_k_s',
  'q5_k_m', 'q6_k', 'q8_0'];
export const GOLDEN_CASES = [
  'llama', 'llama-rope-linear', 'llama-rope-llama3', 'llama-rope-yarn', 'qwen2', 'qwen3', 'gemma2', 'gemma3',
  'stories260K-f32', 'tinystories656k-f32', 'stories260K-q4_0', 'stories260K-q5_1', 'stories260K-q8_0',
  ...TYPES.map(type => `quant-llama-pure-${type}`),
  ...MIXES.map(mix => `quant-qwen3-${mix}`),
];

// The lowest id wins a tie.
function argmax(row) {
  let best = 0;
  for (let i = 1; i < row.length; ++i) if (row[i] > row[best]) best = i;
  return best;
}

function rms(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; ++i) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

function expectClose(got, want, vocabulary) {
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < want.length; ++i) {
    largest = Math.max(largest, Math.abs(want[i]));
    worst = Math.max(worst, Math.abs(got[i] - want[i])); // NaN stays
  }
  expect(worst <= 1e-3 * largest, `logits differ by ${worst}, the largest is ${largest}`);
  for (let row = 0; row < want.length; row += vocabulary) {
    const [a, b] = [got, want].map(logits => argmax(logits.subarray(row, row + vocabulary)));
    expect(a === b, `row ${row / vocabulary}: argmax ${a}, not ${b}`);
  }
}

// Ids are compared up to the first near-tie; that many must have been made.
export function expectGreedy(got, want, margins, nearTie) {
  for (let i = 0; i < want.length && margins[i] >= nearTie; ++i) {
    expect(got[i] === want[i], `greedy step ${i}: ${got[i]}, not ${want[i]}`);
  }
}

export async function checkGoldenCase({ host, variant }, name) {
  if (!host.hasData) return NO_DATA;
  const threads = variant === 'single' ? 1 : 2;
  const json = async path => JSON.parse(new TextDecoder().decode(await host.readData(path)));
  const floats = async entry => new Float32Array((await host.readData(`logits/${entry.file}`)).slice().buffer);

  const golden = await json(`logits/${name}.json`);
  const quantised = 'logits_q8act' in golden;
  const exact = 'logits_exact' in golden;
  const reference = exact ? golden.logits_exact : golden.logits;
  const greedy = exact ? golden.greedy_exact : golden.greedy;
  const margins = exact ? golden.greedy_exact_margin : golden.greedy_margin;
  const model = await Model.open(host, variant, await host.readData(golden.model), { threads, context: golden.n_ctx, kv: 'f32' });
  try {
    const { vocabulary } = model;
    expect(vocabulary === golden.n_vocab, `${vocabulary} logits, not ${golden.n_vocab}`);
    const made = await model.generate(golden.tokens, greedy.length, { logitsFrom: 0, ignoreEnd: true });
    const rows = reference.positions.map(p => made.logits.subarray(p * vocabulary, (p + 1) * vocabulary));
    const got = Float32Array.from(rows.flatMap(row => [...row]));
    const want = await floats(reference);
    expect(got.length === want.length && want.length > 0, `${got.length} logits, not ${want.length}`);
    if (quantised) {
      const own = rms(await floats(golden.logits_q8act), want);
      const ours = rms(got, want);
      expect(ours <= 1.25 * own, `RMS distance ${ours} to exact arithmetic; the reference's own is ${own}`);
    } else {
      expectClose(got, want, vocabulary);
    }
    expectGreedy(made.ids, greedy, margins, quantised ? 0.3 : 0.02);
    return '';
  } finally {
    model.close();
  }
}
