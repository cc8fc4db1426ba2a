// The tests of the site: node test/run.mjs [--report FILE.xml]. The page is built twice: with a stand-in for the package, to show what the page does with
// every kind of answer, and with the package itself where it is built.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const run = (args, env = {}) => spawnSync(process.execPath, args, { cwd: here, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;
const vite = ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn'];

let failed = run(['node_modules/typescript/bin/tsc', '--noEmit']);
failed |= run(vite, { WISP_PACKAGE: `${here}test/fake`, WISP_SITE_OUT: `${here}../build/site-fake` });
const tests = ['test/calculator.test.mjs', 'test/markdown.test.mjs', 'test/example.test.mjs', 'test/page.test.mjs', 'test/offline.test.mjs', 'test/update.test.mjs', 'test/keep.test.mjs', 'test/chat.test.mjs', 'test/input.test.mjs'];
if (existsSync(`${here}../web/dist/wisp-single.wasm`)) {
  failed |= run(vite);
  tests.push('test/model.test.mjs');
} else {
  console.log('skipped: test/model.test.mjs, the package is not built (./dev web)');
}
const flag = process.argv.indexOf('--report');
const reporters = flag < 0 ? []
  : ['--test-reporter=junit', `--test-reporter-destination=${resolve(process.argv[flag + 1])}`, '--test-reporter=tap', '--test-reporter-destination=stdout'];
failed |= run(['--test', '--test-concurrency=1', ...reporters, ...tests]);
process.exitCode = failed;
