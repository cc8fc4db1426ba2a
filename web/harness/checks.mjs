// What is checked in every host. A check is a function of ({host, variant}) that throws when a promise is broken; it
// returns nothing, or the reason why it could not be made here.
import { expect } from './expect.mjs';
import { checkGoldenCase, GOLDEN_CASES } from './golden_checks.mjs';
import {
  checkChunksKeepBits, checkEmbeddings, checkGreedyText, checkKvTypes, checkLoading, checkSavedSequences, checkThreadsKeepBits,
  checkTokenizer, measureSpeed,
} from './model_checks.mjs';
import { STATUSES } from './model.mjs';
import { hasRelaxedSimd, hasSharedMemory } from '../wasm/instance.mjs';
import { openModule } from './module.mjs';

const ABI_VERSION = 4;

// Every task of every job ran exactly once, the caller saw all of it, and the workers took part.
async function checkParallelFor({ host, variant }) {
  const THREADS = variant === 'single' ? 1 : 3;
  const JOBS = 500;
  const TASKS = 1000;
  const module = await openModule(host, 'wisp-checks', variant);
  const { exports, memory } = module;
  const pool = exports.check_pool_create(THREADS);
  expect(pool !== 0, `a pool of ${THREADS} was refused`);
  const stop = await module.startThreads(THREADS, 'check_pool_worker', pool);
  try {
    const sumsAt = module.put(new Uint8Array(8 * THREADS));
    const ranAt = module.put(new Uint8Array(4 * TASKS));
    // On a busy machine a thread may come too late to every job of a series.
    let jobs = 0;
    let sums;
    do {
      exports.check_pool_sum(pool, JOBS, TASKS, sumsAt, ranAt);
      jobs += JOBS;
      sums = [...new Float64Array(memory.buffer, sumsAt, THREADS)];
    } while (jobs < 20 * JOBS && !sums.every(sum => sum > 0));
    const ran = new Uint32Array(memory.buffer, ranAt, TASKS);
    const expected = (jobs * TASKS * (TASKS - 1)) / 2;
    expect(sums.reduce((a, b) => a + b) === expected, `the workers' sums ${sums} do not add up to ${expected}`);
    expect(ran.every(count => count === jobs), 'a task ran more or less often than once in each job');
    expect(sums.every(sum => sum > 0), `a worker did nothing: ${sums}`);
  } finally {
    stop();
  }
}

async function checkThreadsAreRefused({ host, variant }) {
  const { exports } = await openModule(host, 'wisp-checks', variant);
  expect(exports.check_pool_create(2) === 0, 'a module without threads promised two');
}

async function checkMemory({ host, variant }) {
  const { exports, put, memory } = await openModule(host, 'wisp', variant);
  expect(exports.wisp_abi_version() === ABI_VERSION, `ABI version ${exports.wisp_abi_version()}, not ${ABI_VERSION}`);
  const at = put(Uint8Array.of(1, 2, 3));
  expect(at % 64 === 0, `memory at ${at} is not aligned to 64 bytes`);
  expect(new Uint8Array(memory.buffer, at, 3).join() === '1,2,3', 'bytes that were put are not there');
  exports.wisp_free(at);
  expect(exports.wisp_alloc(0xfffffff0) === 0, 'more memory was promised than there can be');
}

// A module has every function of the header under its name.
async function checkFunctions({ host, variant }) {
  const header = new TextDecoder().decode(await host.read('engine/api/wisp.h'));
  const names = [...header.matchAll(/\nWISP_API [^;]*?(wisp_\w+)\(/g)].map(match => match[1]);
  const { exports } = await openModule(host, 'wisp', variant);
  expect(names.length > 60, `the header declares ${names.length} functions`);
  const missing = names.filter(name => typeof exports[name] !== 'function');
  expect(missing.length === 0, `the module lacks ${missing}`);
}

// Templates may nest as deep as the engine allows on the module's stack, and are refused beyond; none ends the module.
async function checkTemplateDepth({ host, variant }) {
  const LIMIT = STATUSES.indexOf('limit');
  const { exports } = await openModule(host, 'wisp-checks', variant);
  for (const kind of [0, 1, 2, 3, 4]) {
    const answers = [1, 20, 50, 100, 150, 180, 190, 195, 199, 200, 201, 1000, 100000].map(depth => exports.check_template(kind, depth));
    expect(answers[0] === 0 && answers[1] === 0, `templates of kind ${kind} that nest little: ${answers}`);
    expect(answers.every(answer => answer === 0 || answer === LIMIT), `templates of kind ${kind}: ${answers}`);
    expect(answers.at(-1) === LIMIT, `templates of kind ${kind} that nest 100000 deep: ${answers}`);
  }
}

const ALL = ['simd', 'relaxed', 'single'];
const THREADED = ['simd', 'relaxed'];
const CHECKS = [
  { name: 'Memory', variants: ALL, run: checkMemory },
  { name: 'Functions', variants: ALL, run: checkFunctions },
  { name: 'ParallelFor', variants: ALL, run: checkParallelFor },
  { name: 'ThreadsAreRefused', variants: ['single'], run: checkThreadsAreRefused },
  { name: 'TemplateDepth', variants: ALL, run: checkTemplateDepth },
  { name: 'Loading', variants: ALL, run: checkLoading },
  { name: 'Tokenizer', variants: ALL, run: checkTokenizer },
  { name: 'GreedyText', variants: ALL, run: checkGreedyText },
  { name: 'Embeddings', variants: ALL, run: checkEmbeddings },
  ...GOLDEN_CASES.map(name => ({
    name: `GoldenLogits/${name}`,
    variants: ALL,
    run: where => checkGoldenCase(where, name),
  })),
  { name: 'SavedSequences', variants: ALL, run: checkSavedSequences },
  { name: 'KvTypes', variants: ALL, run: checkKvTypes },
  { name: 'ThreadsKeepBits', variants: THREADED, run: checkThreadsKeepBits },
  { name: 'ChunksKeepBits', variants: ALL, run: checkChunksKeepBits },
];

function missingFor(variant, host) {
  if (variant !== 'single' && !hasSharedMemory()) return `${host.name} shares no memory between threads here`;
  if (variant === 'relaxed' && !hasRelaxedSimd()) return `${host.name} does not validate relaxed SIMD`;
  return '';
}

// Runs everything; resolves to [{suite, name, status: passed|failed|skipped, reason, seconds}].
export async function runChecks(host) {
  const results = [];
  for (const { name, variants, run } of CHECKS) {
    for (const variant of variants) {
      const result = { suite: `wasm-${variant}`, name, status: 'passed', reason: '', seconds: 0 };
      const start = performance.now();
      try {
        const skip = missingFor(variant, host) || (await run({ host, variant }));
        if (skip) Object.assign(result, { status: 'skipped', reason: skip });
      } catch (error) {
        Object.assign(result, { status: 'failed', reason: `${error}\n${error.stack ?? ''}` });
      }
      result.seconds = (performance.now() - start) / 1000;
      results.push(result);
    }
  }
  for (const variant of ALL) if (!missingFor(variant, host)) await measureSpeed({ host, variant });
  return results;
}
