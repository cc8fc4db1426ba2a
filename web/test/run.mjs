// The tests of the package under Node: node test/run.mjs [NAME...] [--report FILE.xml]. They are TypeScript: types are checked, and
// the tests built, first.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { finish } from '../harness/report.mjs';

if (process.getBuiltinModule === undefined) {
  finish([{ suite: 'Package', name: 'All', status: 'skipped', reason: `Node ${process.versions.node} is older than 20.16`, seconds: 0 }]);
  process.exit();
}

const web = fileURLToPath(new URL('../', import.meta.url));
const out = fileURLToPath(new URL('../../build/web/test/', import.meta.url));
const flag = process.argv.indexOf('--report');
const report = flag > 0 ? process.argv.splice(flag, 2)[1] : undefined;
const names = process.argv.slice(2);

if (names.length === 0) {
  const { status } = spawnSync(process.execPath, [`${web}node_modules/typescript/bin/tsc`, '-p', web], { stdio: 'inherit' });
  if (status !== 0) process.exit(2);
}

const { build } = await import('esbuild');
const files = readdirSync(`${web}test`, { recursive: true })
  .filter(file => file.endsWith('.test.ts') && (names.length === 0 || names.some(name => file.includes(name))));
rmSync(out, { recursive: true, force: true });
await build({ entryPoints: files.map(file => `${web}test/${file}`), outdir: out, outbase: `${web}test`, bundle: true, format: 'esm', platform: 'node',
  outExtension: { '.js': '.mjs' }, sourcemap: 'inline', logLevel: 'warning' });
const tests = readdirSync(out, { recursive: true }).filter(file => file.endsWith('.test.mjs')).map(file => out + file);
const reporters = report === undefined ? []
  : ['--test-reporter=junit', `--test-reporter-destination=${report}`, '--test-reporter=tap', '--test-reporter-destination=stdout'];
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...reporters, ...tests],
  { stdio: ['ignore', report === undefined ? 'inherit' : 'ignore', 'inherit'] });
process.exitCode = status ?? 2;
