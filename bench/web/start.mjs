// Times the next start of a model that is kept in the browser. README.md says how.
import { existsSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { openProfile } from '../../web/harness/browsers.mjs';
import { serveModels } from '../../web/test/package/range_server.mjs';

const HELP = `node bench/web/start.mjs MODEL [OPTIONS]

Keeps a GGUF file in Chromium's storage, and times how long its weights take from there to where they are computed with.

  --device NAME      gpu (SwiftShader) or cpu (gpu)
  --against FOLDER   another build of the package, as a path within the repository: the two start in turns
  --rounds N         starts of each (5)
`;
const die = message => {
  console.error(`bench: ${message}`);
  process.exit(1);
};
const { values: options, positionals: [model] } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'gpu' }, against: { type: 'string' }, rounds: { type: 'string', default: '5' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (options.help || model === undefined) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}

if (!existsSync(model)) die(`there is no file ${model}`);
if (!['gpu', 'cpu'].includes(options.device)) die(`--device is '${options.device}', expected gpu or cpu`);
if (!/^[1-9]\d*$/.test(options.rounds)) die(`--rounds is '${options.rounds}', expected a number of at least 1`);

const REST_MS = 2500; // between starts: what the last one left behind is freed by other processes
const builds = ['web/dist', options.against].filter(Boolean);
const size = statSync(model).size;

/** Runs in the page: seconds until the weights were read, and until the model was ready. */
async function start({ build, address, device }) {
  const { Wisp } = await import(`/${build}/index.js`);
  const begun = performance.now();
  let read;
  const wisp = await Wisp.load(address, {
    device, context: 256, maxSequences: 1,
    onProgress: ({ phase }) => { if (phase === 'starting') read ??= performance.now(); },
  });
  const ready = performance.now();
  const { executor, variant } = wisp.info();
  await wisp.dispose();
  return { text: `${executor}, module ${variant}`, read: (read - begun) / 1000, ready: (ready - begun) / 1000 };
}

const median = list => [...list].sort((a, b) => a - b)[list.length >> 1];
const server = await serveModels(new Map([['/model.gguf', model]]), Infinity);
const browser = await openProfile('chromium', options.device === 'gpu');
const samples = new Map(builds.map(build => [build, []]));
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(`${server.url}/`);
  const once = build => page.evaluate(start, { build, address: `${server.url}/model.gguf`, device: options.device });
  const { text } = await once(builds[0]); // fetches it
  const fetched = server.counts.sent;
  console.log(`${text}; ${(size / 1e6).toFixed(0)} MB`);
  for (let round = 0; round < Number(options.rounds); ++round) {
    for (const build of round % 2 ? [...builds].reverse() : builds) {
      await new Promise(resolve => setTimeout(resolve, REST_MS));
      samples.get(build).push(await once(build));
    }
  }
  if (server.counts.sent !== fetched) throw new Error(`${server.counts.sent - fetched} bytes were fetched again: it was not kept`);
} finally {
  await browser.close();
  server.close();
}
for (const [build, list] of samples) {
  const seconds = median(list.map(({ read }) => read));
  console.log(`${build}: weights after ${seconds.toFixed(2)} s (${(size / 1e6 / seconds).toFixed(0)} MB/s; ${list.map(({ read }) => read.toFixed(2)).join(', ')}), `
    + `ready after ${median(list.map(({ ready }) => ready)).toFixed(2)} s`);
}
if (builds.length === 2) {
  const [ours, theirs] = builds.map(build => samples.get(build).map(({ read }) => read));
  console.log(`${builds[1]} takes ${median(theirs.map((read, round) => read / ours[round])).toFixed(2)} times as long (median of pairs)`);
}
process.exit();
