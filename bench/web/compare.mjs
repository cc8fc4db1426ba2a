// Times wisp's package and wllama in one headless browser, on the same random-weight models. README.md says how.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { openBrowser } from '../../web/harness/browsers.mjs';
import { serve } from '../../web/harness/server.mjs';

const HELP = `./dev bench --web [OPTIONS]

Times wisp's package and wllama in turns, in one headless browser, on random-weight models of a 125 M llama shape.

  --browser NAME   chromium or firefox (chromium; firefox with --gpu)
  --gpu            both on WebGPU: Firefox on lavapipe, a driver that computes on the processor and has what wllama asks for
  --types LIST     quantisations, separated by commas (Q4_0,Q4_K_M)
  --rounds N       turns of each (5)
  --threads N      (2)
  --prefill N      prompt tokens (512; 64 with --gpu)
  --decode N       generated tokens (32; 8 with --gpu)
  --only NAME      time wisp or wllama alone
  --realtime       run both ahead of every other program (as root), for a machine that is shared
  --json FILE      where every sample goes (build/bench/web.json)
`;

const { values: options } = parseArgs({
  options: {
    browser: { type: 'string' }, gpu: { type: 'boolean', default: false }, types: { type: 'string', default: 'Q4_0,Q4_K_M' },
    rounds: { type: 'string', default: '5' }, threads: { type: 'string', default: '2' }, prefill: { type: 'string' },
    decode: { type: 'string' }, only: { type: 'string' }, realtime: { type: 'boolean' }, json: { type: 'string' }, help: { type: 'boolean', short: 'h' },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit();
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const MODELS = join(root, 'build/bench');
const LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';
const CONTEXT = 1024;
const TURN_MINUTES = 10;
const PHASES = ['prefill', 'decode'];

const die = message => {
  console.error(`bench: ${message}`);
  process.exit(1);
};
const positive = (name, text) => (/^[1-9]\d*$/.test(text) ? Number(text) : die(`--${name} is '${text}', expected a number of at least 1`));

const browserName = options.browser ?? (options.gpu ? 'firefox' : 'chromium');
if (!['chromium', 'firefox'].includes(browserName)) die(`--browser is '${browserName}', expected chromium or firefox`);
// wllama needs f16 in shaders.
if (options.gpu && browserName !== 'firefox') die('--gpu needs Firefox: Chromium has no driver with f16 that computes on the processor');
if (options.only !== undefined && !['wisp', 'wllama'].includes(options.only)) die(`--only is '${options.only}', expected wisp or wllama`);
const rounds = positive('rounds', options.rounds);
const settings = {
  gpu: options.gpu,
  threads: positive('threads', options.threads),
  prefill: positive('prefill', options.prefill ?? (options.gpu ? '64' : '512')),
  decode: positive('decode', options.decode ?? (options.gpu ? '8' : '32')),
  short: 8, // tokens before those whose decoding is timed
  context: CONTEXT,
};
// Enough of both that compilers are done with what is hot.
settings.warm = options.gpu ? { prefill: settings.prefill, decode: 3 } : { prefill: Math.min(settings.prefill, 128), decode: 8 };
if (Math.max(settings.prefill, settings.short + settings.decode) + 1 > CONTEXT) die(`the context has ${CONTEXT} tokens: take a smaller --prefill or --decode`);
const engines = options.only ? [options.only] : ['wisp', 'wllama'];

if (options.gpu) {
  process.env.VK_DRIVER_FILES ??= LAVAPIPE;
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  if (!existsSync(process.env.VK_DRIVER_FILES)) die(`there is no Vulkan driver at ${process.env.VK_DRIVER_FILES}: ./dev setup gpu`);
}

function modelOf(type) {
  const path = join(MODELS, `125m-${type}.gguf`);
  if (!existsSync(path)) {
    mkdirSync(MODELS, { recursive: true });
    const made = [`${path}.partial`, '--preset', '125m', '--tied', '--type', type];
    execFileSync(join(root, 'build/bin/wisp-make-model'), made, { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(`${path}.partial`, path);
  }
  return `/build/bench/125m-${type}.gguf`;
}

// What was timed has to be what was asked for: all of the prompt computed, no text that ended early, the device meant.
function check(engine, { counts, info }) {
  const expected = { prefill: [settings.prefill, 1], decode: [settings.short, settings.decode + 1] };
  for (const phase of PHASES) {
    const [prompt, generated] = expected[phase];
    const got = counts[phase];
    if (got.prompt !== prompt || got.cached !== 0 || got.generated !== generated) throw new Error(`${engine} counts ${JSON.stringify(got)} at ${phase}`);
  }
  // On a GPU the threads are each package's own affair.
  const threads = options.gpu ? info.threads : settings.threads;
  if (info.device !== report.device || info.threads !== threads) throw new Error(`${engine} ran as ${JSON.stringify(info)}`);
}

// Fails where a turn hangs, which would otherwise go on for ever.
function inTime(engine, turn) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${engine} did not finish a turn in ${TURN_MINUTES} minutes`)), TURN_MINUTES * 60_000);
  });
  return Promise.race([turn, late]).finally(() => clearTimeout(timer));
}

const median = values => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

function summarise(samples) {
  const rates = (engine, phase) => samples[engine].map(turn => turn[phase]);
  const summary = Object.fromEntries(engines.map(engine => [engine, Object.fromEntries(PHASES.map(phase => [phase, median(rates(engine, phase))]))]));
  if (engines.length === 2) {
    summary.ratio = Object.fromEntries(PHASES.map(phase =>
      [phase, median(rates('wisp', phase).map((rate, round) => rate / rates('wllama', phase)[round]))]));
  }
  return summary;
}

// What is started from here on inherits it. A nice value would not do: Chromium gives its pages one of their own.
if (options.realtime) execFileSync('chrt', ['--rr', '--pid', '5', String(process.pid)]);
const server = await serve();
const { browser, page } = await openBrowser(browserName, options.gpu);
const peer = JSON.parse(readFileSync(new URL('./node_modules/@wllama/wllama/package.json', import.meta.url), 'utf8'));
const report = {
  date: new Date().toISOString(), cpu: cpus()[0].model, processors: cpus().length, load: { before: loadavg()[0] },
  browser: browserName, userAgent: await page.evaluate(() => navigator.userAgent), device: options.gpu ? 'gpu' : 'cpu',
  peer: `${peer.name} ${peer.version}`, realtime: options.realtime ?? false, ...settings, rounds, types: {},
};
const pad = (text, width) => String(text).padStart(width);
console.log(`${report.cpu}, ${report.processors} processors, load ${report.load.before.toFixed(1)}; ${report.userAgent}`);
console.log(`${report.device}, ${settings.threads} threads, prefill ${settings.prefill}, decode ${settings.decode}; `
  + `tokens per second, medians of ${rounds} rounds`);
try {
  let turns = 0;
  for (const type of options.types.split(',')) {
    const samples = Object.fromEntries(engines.map(engine => [engine, []]));
    const model = modelOf(type);
    for (let round = 0; round < rounds; ++round) {
      const seed = ++turns; // one prompt a round, for both
      for (const engine of round % 2 ? [...engines].reverse() : engines) {
        await page.goto(`${server.url}/bench/web/page.html`);
        const turn = await inTime(engine, page.evaluate(([name, given]) => window.turn(name, given), [engine, { ...settings, model, seed }]));
        check(engine, turn);
        samples[engine].push(turn);
        process.stderr.write('.');
      }
    }
    process.stderr.write('\n');
    const summary = summarise(samples);
    report.types[type] = { samples, median: summary };
    if (Object.keys(report.types).length === 1) {
      for (const engine of engines) console.log(`  ${engine}: ${samples[engine][0].info.text}`);
      console.log(`${pad('', 20)}${engines.map(engine => pad(engine, 12)).join('')}${summary.ratio ? pad('ratio', 12) : ''}`);
    }
    for (const phase of PHASES) {
      const row = engines.map(engine => pad(summary[engine][phase].toFixed(2), 12)).join('');
      console.log(`${type.padEnd(10)}${phase.padEnd(10)}${row}${summary.ratio ? pad(summary.ratio[phase].toFixed(2), 12) : ''}`);
    }
  }
} finally {
  await browser.close();
  server.close();
}
report.load.after = loadavg()[0];
const file = options.json ?? join(MODELS, 'web.json');
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
console.log(`every sample: ${file}`);
process.exit();
