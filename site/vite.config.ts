// Builds the site to dist/: the app, and beside it the package (wisp/), the shipped model (models/) and the service worker.
import { cpSync, createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

import { HEADERS, TYPES } from './headers.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const packageFolder = process.env.WISP_PACKAGE ?? join(here, '../web/dist');
const model = join(here, '../models/wisp-stories.gguf');
const dist = process.env.WISP_SITE_OUT ?? join(here, 'dist');
const isPageFile = (name: string): boolean => /^(index|worker|thread)\.js$|^wisp-(relaxed|simd|single)\.wasm$/.test(name);

// The package is taken as it is built, at run time: its worker, threads and modules find each other by their places.
function besideTheApp(): Plugin {
  return {
    name: 'wisp-beside-the-app',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = new URL(request.url ?? '/', 'http://host').pathname;
        const name = path.split('/').at(-1) ?? '';
        const file = path === '/models/wisp-stories.gguf' ? model
          : path.startsWith('/wisp/') && isPageFile(name) ? join(packageFolder, name) : '';
        if (file === '' || !existsSync(file)) return next();
        response.setHeader('Content-Type', TYPES[name.slice(name.lastIndexOf('.'))] ?? 'application/octet-stream');
        for (const [header, value] of Object.entries(HEADERS)) response.setHeader(header, value);
        createReadStream(file).pipe(response);
      });
    },
    closeBundle() {
      if (!existsSync(packageFolder)) throw new Error(`${packageFolder} is missing: build the package first (./dev web)`);
      for (const name of readdirSync(packageFolder).filter(isPageFile)) cpSync(join(packageFolder, name), join(dist, 'wisp', name));
      cpSync(model, join(dist, 'models/wisp-stories.gguf'));
      writeServiceWorker();
    },
  };
}

// What the worker keeps at once: all that the page needs but the modules, of which a page uses one, and models.
function writeServiceWorker(): void {
  const files = readdirSync(dist, { recursive: true }).map(String).map(name => name.replaceAll('\\', '/'))
    .filter(name => statSync(join(dist, name)).isFile() && !/^models\/|^sw\.js$|\.map$|^_headers$/.test(name)).sort();
  const hash = createHash('sha256');
  for (const name of files) hash.update(name).update(readFileSync(join(dist, name)));
  const settings = { version: hash.digest('hex').slice(0, 16), now: files.filter(name => !name.endsWith('.wasm')), later: files.filter(name => name.endsWith('.wasm')) };
  const source = readFileSync(join(here, 'src/offline/sw.js'), 'utf8');
  writeFileSync(join(dist, 'sw.js'), source.replace('/* settings */ null', JSON.stringify(settings)));
}

export default defineConfig({
  base: './',
  plugins: [besideTheApp()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { headers: HEADERS, fs: { allow: [here, join(here, '../engine/gpu/wgsl')] } },
  build: { outDir: dist, emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, sourcemap: true },
});
