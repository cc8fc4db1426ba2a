// A model of random weights, larger than a page's memory can be, goes from a server through a page to the GPU (SwiftShader,
// or what VK_DRIVER_FILES says to Firefox) and answers with a token: node test/package/big.mjs [--preset 8b|1b|125m]
// [--parts N] [--browser chromium|firefox] [--report FILE.xml]. The small presets show in a minute that the test works.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { freemem } from 'node:os';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { openBrowser } from '../../harness/browsers.mjs';
import { finish } from '../../harness/report.mjs';
import { peaksOfBrowser } from './processes.mjs';
import { serveModels } from './range_server.mjs';

const { values: { preset, browser: name, ...values } } = parseArgs({
  options: {
    preset: { type: 'string', default: '8b' }, parts: { type: 'string', default: '1' },
    browser: { type: 'string', default: 'chromium' }, report: { type: 'string' },
  },
});
const parts = Number(values.parts);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = `${root}build/big/`;
const five = number => String(number).padStart(5, '0');
const files = parts === 1 ? [`${preset}.gguf`]
  : Array.from({ length: parts }, (_, index) => `${preset}-${five(index + 1)}-of-${five(parts)}.gguf`);

const BYTES = { '8b': 4.92e9, '1b': 0.68e9, '125m': 0.11e9 }; // of the files, as Q4_K_M, about
const WORD = 2 ** 32; // past what 32 bits can name
const HEAP_BYTES = 256 * 2 ** 20; // of the module, whatever the model
const PAGE_BYTES = 2 ** 30; // of the page's process, with the browser's own code and what was read ahead
const PROMPT = [1, 1000]; // two, so that attention has something to choose; each costs SwiftShader a minute
const TOP = 20; // tokens that the page tells the odds of
const CANDIDATES = 4 * TOP; // of the native engine's, among which they have to be
// Log-probabilities of two devices differ, as their sums round differently: by 0.02 or 0.03 here (root of the mean square).
// One wrong matrix of the last of 32 layers moves them by 0.11.
const TOLERANCE = 0.06;

/** Why it cannot be tried here; nothing where it can. */
function obstacle() {
  const missing = ['build/bin/wisp', 'build/bin/wisp-make-model', 'web/dist/index.js'].find(path => !existsSync(root + path));
  if (missing) return `${missing} is not there (./dev build, ./dev web)`;
  const gigabytes = bytes => `${(bytes / 1e9).toFixed(1)} GB`;
  const bytes = BYTES[preset];
  const { bavail, bsize } = statfsSync(root);
  if (bavail * bsize < bytes + 1e9) return `${gigabytes(bytes)} do not fit the disk, which has ${gigabytes(bavail * bsize)} left`;
  // The software GPU has the weights in the memory of this machine.
  const needed = 1.3 * bytes + 2e9;
  if (freemem() < needed) return `it takes ${gigabytes(needed)} of memory, and ${gigabytes(freemem())} are free`;
  return undefined;
}

function native(program, args) {
  const { status, stdout, stderr } = spawnSync(`${root}build/bin/${program}`, args, { maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout;
}

/** What this machine's CPU says to the same file: the most likely tokens behind the prompt with their log-probabilities. */
function expectedOdds() {
  const bytes = native('wisp', ['logits', folder + files[0], '--ids', PROMPT.join(','), '--kv', 'f16', '--out', '-', '--quiet']);
  const all = new Float32Array(new Uint8Array(bytes).buffer);
  const logits = all.subarray(all.length / PROMPT.length * (PROMPT.length - 1));
  const most = logits.reduce((a, b) => Math.max(a, b));
  const scale = most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  return [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, CANDIDATES).map(id => ({ id, logprob: logits[id] - scale }));
}

/** Runs in the page. `candidates` are ids whose texts are wanted. */
async function useModel({ address, prompt, top, candidates }) {
  const { Wisp } = await import('/web/dist/index.js');
  const begun = performance.now();
  let loaded;
  const wisp = await Wisp.load(address, {
    device: 'gpu', keep: false, context: 64, maxSequences: 1,
    onProgress: ({ phase }) => {
      if (phase === 'starting') loaded ??= performance.now();
    },
  });
  const ready = performance.now();
  const { choices: [{ logprobs }] } = await wisp.completions.create({ prompt, max_tokens: 1, logprobs: top, temperature: 0 });
  const answered = performance.now();
  const texts = [];
  for (const id of candidates) texts.push(await wisp.detokenize([id]));
  return {
    token: logprobs.tokens[0], odds: logprobs.top_logprobs[0], texts, memory: await wisp.memory(), info: wisp.info(),
    seconds: { loading: (loaded - begun) / 1000, starting: (ready - loaded) / 1000, answering: (answered - ready) / 1000 },
  };
}

async function tryIt(candidates) {
  const server = await serveModels(new Map(files.map(file => [`/${file}`, folder + file])), WORD);
  const { browser, page } = await openBrowser(name, true);
  try {
    page.on('console', message => console.error(`  ${message.text()}`));
    page.setDefaultTimeout?.(0);
    await page.goto(`${server.url}/`);
    const told = await page.evaluate(useModel, { address: `${server.url}/${files[0]}`, prompt: PROMPT, top: TOP, candidates });
    return { ...told, served: { ...server.counts }, peaks: peaksOfBrowser() };
  } finally {
    await browser.close();
    server.close();
  }
}

/** How far the page's odds are from the native ones: the root of the mean square; infinite where it likes other tokens. */
function deviation({ odds, texts }, expected) {
  const known = new Map(texts.map((text, index) => [text, expected[index].logprob]));
  const squares = Object.entries(odds).map(([text, logprob]) => (known.has(text) ? (logprob - known.get(text)) ** 2 : Infinity));
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}

/** The promises, each with a sentence where it is broken. */
function verdicts(told, expected, size) {
  const { token, texts, memory, served, peaks } = told;
  const mib = bytes => `${Math.round(bytes / 2 ** 20)} MiB`;
  const page = peaks.renderer ?? peaks.tab;
  const [first, second] = expected;
  const off = deviation(told, expected);
  return {
    'all of the file is asked for, by several ranges at once':
      served.sent < 0.99 * size ? `${served.sent} of ${size} bytes were sent`
        : served.mostOpen < 2 ? 'one range was sent after the other' : undefined,
    ...(preset === '8b' && parts === 1 && {
      'weights lie past 4 GiB of the file': size <= WORD || served.beyond < size - WORD ? `${served.beyond} bytes were sent from there, of ${size - WORD}` : undefined,
    }),
    // Memory of WebAssembly never shrinks, so what it is at the end is the most it has been.
    'the module stays under 256 MiB': memory.module < HEAP_BYTES ? undefined : `it grew to ${mib(memory.module)}`,
    'the GPU has the weights': memory.weights > 0.95 * size ? undefined : `it has ${mib(memory.weights)}`,
    ...(page !== undefined && { 'the page keeps no copy': page < PAGE_BYTES ? undefined : `its process held ${mib(page)}` }),
    // Where the best two are closer than that, rounding may choose between them.
    'the token is the one of the native engine': first.logprob - second.logprob > 2 * TOLERANCE && token !== texts[0]
      ? `it is '${token}' instead of '${texts[0]}'` : undefined,
    'the odds of tokens are those of the native engine': off <= TOLERANCE ? undefined : `they are ${off.toFixed(3)} off`,
  };
}

function tell({ seconds, memory, served, peaks, info }, size, off) {
  const mb = bytes => Math.round(bytes / 1e6);
  console.error(`  ${info.executor}, module ${info.variant}: ${mb(size)} MB in ${seconds.loading.toFixed(1)} s (${Math.round(mb(size) / seconds.loading)} MB/s, `
    + `${served.mostOpen} ranges at once), started after ${seconds.starting.toFixed(1)} s more, a token after ${seconds.answering.toFixed(1)} s`);
  console.error(`  module ${mb(memory.module)} MB; processes at most, in MB: ${Object.entries(peaks).map(([what, bytes]) => `${what} ${mb(bytes)}`).join(', ')}`);
  console.error(`  odds of tokens are ${off.toFixed(3)} off`);
}

const suite = `PackageBig-${name}-${preset}${parts === 1 ? '' : `-${parts}`}`;
const begun = performance.now();
const reason = BYTES[preset] === undefined ? `there is no preset ${preset}` : obstacle();
if (reason) {
  finish([{ suite, name: 'All', status: 'skipped', reason, seconds: 0 }]);
} else {
  try {
    mkdirSync(folder, { recursive: true });
    native('wisp-make-model', [`${folder}${preset}.gguf`, '--preset', preset, '--type', 'Q4_K_M', '--parts', values.parts]);
    const size = files.reduce((sum, file) => sum + statSync(folder + file).size, 0);
    const expected = expectedOdds();
    const told = await tryIt(expected.map(({ id }) => id));
    tell(told, size, deviation(told, expected));
    const seconds = (performance.now() - begun) / 1000;
    finish(Object.entries(verdicts(told, expected, size)).map(([what, error]) =>
      ({ suite, name: what, status: error === undefined ? 'passed' : 'failed', reason: error ?? '', seconds })));
  } catch (error) {
    finish([{ suite, name: 'All', status: 'failed', reason: error.message, seconds: (performance.now() - begun) / 1000 }]);
  } finally {
    files.forEach(file => rmSync(folder + file, { force: true }));
  }
}
process.exit();
