// Times the package in Node, by default on the GPU of this machine. README.md says how.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { serveModels } from '../../web/test/package/range_server.mjs';

const HELP = `node bench/web/node.mjs MODEL [OPTIONS]

Times the package in Node on a GGUF file: loading from a server on this machine, prompts, one sequence and several at once.

  --device NAME    gpu (Dawn, by npm's webgpu; VK_DRIVER_FILES chooses the driver) or cpu (gpu)
  --prefill N      prompt tokens (512)
  --decode N       generated tokens (64)
  --sequences N    at once (8)
  --context N      tokens (2048)
  --rounds N       medians of so many (3)
  --ops            where the time of single tokens goes, by kind of operation
  --json FILE      figures, and with --ops the times of every layer
`;
const GPU = new URL('./node_gpu.mjs', import.meta.url).href;

const { values: options, positionals: [model] } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'gpu' }, prefill: { type: 'string', default: '512' }, decode: { type: 'string', default: '64' },
    sequences: { type: 'string', default: '8' }, context: { type: 'string', default: '2048' }, rounds: { type: 'string', default: '3' },
    ops: { type: 'boolean', default: false }, json: { type: 'string' }, help: { type: 'boolean', short: 'h' },
  },
});
if (options.help || model === undefined) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}
if (options.device === 'gpu' && !process.execArgv.includes(GPU)) {
  process.exit(spawnSync(process.execPath, ['--import', GPU, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1);
}

const [prefill, decode, sequences, context, rounds] =
  ['prefill', 'decode', 'sequences', 'context', 'rounds'].map(name => Number(options[name]));
const SHORT = 32; // tokens before those that are timed one by one

const { Wisp } = await import('../../web/dist/node.js');
const server = await serveModels(new Map([['/model.gguf', model]]), Infinity);
const begun = performance.now();
let loaded;
const wisp = await Wisp.load(`${server.url}/model.gguf`, {
  device: options.device, keep: false, context, maxSequences: sequences,
  onProgress: ({ phase }) => { if (phase === 'starting') loaded ??= performance.now(); },
});
const ready = performance.now();

// Tokens that no prompt before had in this order: nothing of them can be there already.
let state = 1;
const random = below => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const prompt = tokens => Array.from({ length: tokens }, () => 3 + random(250));

async function complete(promptTokens, tokens) {
  const start = performance.now();
  let first;
  for await (const _ of await wisp.completions.create({ prompt: prompt(promptTokens), max_tokens: tokens, temperature: 0, ignore_end: true, stream: true })) {
    first ??= performance.now();
  }
  return { first: first - start, total: performance.now() - start };
}

const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const samples = { prefill: [], decode: [], together: [] };
await complete(prefill, 2); // kernels compile, and so does the module
for (let round = 0; round < rounds; ++round) {
  samples.prefill.push(prefill / ((await complete(prefill, 1)).total / 1000));
  const one = await complete(SHORT, decode + 1);
  samples.decode.push(decode / ((one.total - one.first) / 1000));
  const start = performance.now();
  await Promise.all(Array.from({ length: sequences }, () => complete(SHORT, decode)));
  samples.together.push((sequences * decode) / ((performance.now() - start) / 1000));
}

let ops = [];
if (options.ops) {
  await wisp.profile(true);
  await complete(1, decode);
  ops = await wisp.profile(false);
}
const counters = await wisp.counters();
const figures = {
  model, info: wisp.info(), loadSeconds: (loaded - begun) / 1000, startSeconds: (ready - loaded) / 1000,
  compileSeconds: counters.compile_ns / 1e9, tuningSeconds: counters.tuning_ns / 1e9,
  prefill: median(samples.prefill), decode: median(samples.decode), together: median(samples.together), samples, memory: await wisp.memory(), ops,
};
console.log(`${figures.info.executor}, module ${figures.info.variant}: loaded in ${figures.loadSeconds.toFixed(1)} s, ready ${figures.startSeconds.toFixed(1)} s later `
  + `(compiling ${figures.compileSeconds.toFixed(1)} s, tuning ${figures.tuningSeconds.toFixed(1)} s)`);
console.log(`tokens a second: prompt of ${prefill} ${figures.prefill.toFixed(1)}, one sequence ${figures.decode.toFixed(1)}, ${sequences} at once ${figures.together.toFixed(1)}`);
const byKind = new Map();
for (const { name, nanoseconds } of ops) byKind.set(name, (byKind.get(name) ?? 0) + nanoseconds);
for (const [name, nanoseconds] of [...byKind].sort((a, b) => b[1] - a[1])) console.log(`  ${name.padEnd(28)} ${(nanoseconds / 1e6 / decode).toFixed(3)} ms a token`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 1)}\n`);
await wisp.dispose();
server.close();
process.exit();
