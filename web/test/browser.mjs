// Stores and downloads in a headless browser: node test/browser.mjs [--browser chromium|firefox] [--only NAME] [--speed MIB]
// [--report FILE.xml]. The browsers are those of ../harness (npm ci --prefix ../harness).
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { openProfile } from '../harness/browsers.mjs';
import { finish } from '../harness/report.mjs';

const valueOf = (flag, otherwise) => {
  const at = process.argv.indexOf(flag);
  return at > 0 ? process.argv[at + 1] : otherwise;
};

const here = fileURLToPath(new URL('./browser/', import.meta.url));
const out = fileURLToPath(new URL('../../build/web/browser/', import.meta.url));
const common = { outdir: out, bundle: true, format: 'esm', sourcemap: 'inline', logLevel: 'warning' };
await build({ ...common, entryPoints: [`${here}worker.ts`], platform: 'browser', target: 'es2022' });
await build({ ...common, entryPoints: [`${here}run.ts`], platform: 'node', outExtension: { '.js': '.mjs' } });

const { run } = await import(`${out}run.mjs`);
const browser = await openProfile(valueOf('--browser', 'chromium'));
finish(await run(browser, `${out}worker.js`, valueOf('--only', ''), Number(valueOf('--speed', 0))));
// Browsers that are closed may still hold this process.
process.exit();
