// Builds the package: dist/index.js and what belongs beside it. `./dev web` makes the WebAssembly modules first.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const modules = fileURLToPath(new URL('../build/wasm/', import.meta.url));
const dist = `${here}dist`;
const VARIANTS = ['relaxed', 'simd', 'single'];

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: {
    index: 'src/index.ts', node: 'src/node.ts', worker: 'src/worker/worker.ts', thread: 'src/worker/thread.ts',
    'worker.node': 'src/worker/worker.node.ts', 'thread.node': 'src/worker/thread.node.ts',
  },
  outdir: dist,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: ['node:*'],
  minify: true,
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
});
for (const variant of VARIANTS) await cp(`${modules}wisp-${variant}.wasm`, `${dist}/wisp-${variant}.wasm`);
await cp(`${here}../LICENSE`, `${dist}/LICENSE`); // which every copy has to have
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { cwd: here, stdio: 'inherit' });

// What a page fetches: one module, and the scripts.
const compressed = async name => brotliCompressSync(await readFile(`${dist}/${name}`), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length;
const page = await Promise.all(['index.js', 'worker.js', 'thread.js', 'wisp-relaxed.wasm'].map(async name => [name, (await stat(`${dist}/${name}`)).size, await compressed(name)]));
for (const [name, bytes, small] of page) console.log(`${name.padEnd(18)} ${String(bytes).padStart(9)} bytes, ${String(small).padStart(7)} compressed`);
console.log(`a page fetches ${page.reduce((sum, [, , small]) => sum + small, 0)} bytes, compressed; ${(await readdir(dist)).length} files in dist/`);
