// What happens to a page with the package, as stories in a browser: node test/package/stories.mjs [--browser chromium|firefox] [--gpu]
// [--only WORDS] [--cycles N] [--report FILE.xml].
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';
import { openProfile } from '../../harness/browsers.mjs';
import { finish } from '../../harness/report.mjs';

const { values: { browser: browserName, gpu, only, cycles } } = parseArgs({ options: {
  browser: { type: 'string', default: 'chromium' }, gpu: { type: 'boolean', default: false }, only: { type: 'string', default: '' }, cycles: { type: 'string', default: '60' }, report: { type: 'string' },
} });
const root = fileURLToPath(new URL('../../..', import.meta.url));
const script = `${root}/build/web/package/run.mjs`;
await build({ entryPoints: [fileURLToPath(new URL('stories/run.ts', import.meta.url))], outfile: script, bundle: true, format: 'esm', platform: 'node',
  sourcemap: 'inline', logLevel: 'warning' });
const { run } = await import(script);
// A driver's own cache would make a first visit look like a second.
const shaders = process.env.MESA_SHADER_CACHE_DIR = mkdtempSync(join(tmpdir(), 'wisp-shaders-'));
const browser = await openProfile(browserName, gpu);
try {
  const outcomes = await run(browser, root.replace(/\/$/, ''), { browserName, gpu, only, cycles: Number(cycles) });
  finish(outcomes.map(({ name, error, milliseconds }) => ({
    suite: ['Stories', browserName, gpu && 'gpu'].filter(Boolean).join('-'), name, status: error === undefined ? 'passed' : 'failed', reason: error ?? '', seconds: milliseconds / 1000,
  })));
} finally {
  await browser.close();
  rmSync(shaders, { recursive: true, force: true });
}
process.exit();
