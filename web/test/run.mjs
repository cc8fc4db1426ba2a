// The tests of the package under Node: node test/run.mjs [NAME...]. They are TypeScript, so they are built first.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = fileURLToPath(new URL('../../build/web/test/', import.meta.url));
const names = process.argv.slice(2);
const files = readdirSync(here, { recursive: true })
  .filter(file => file.endsWith('.test.ts') && (names.length === 0 || names.some(name => file.includes(name))));

rmSync(out, { recursive: true, force: true });
await build({ entryPoints: files.map(file => here + file), outdir: out, bundle: true, format: 'esm', platform: 'node',
  outExtension: { '.js': '.mjs' }, sourcemap: 'inline', logLevel: 'warning' });
const tests = readdirSync(out, { recursive: true }).filter(file => file.endsWith('.test.mjs')).map(file => out + file);
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...tests], { stdio: 'inherit' });
process.exitCode = status ?? 1;
