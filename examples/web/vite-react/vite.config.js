import { defineConfig } from 'vite';

// What threads need of the server (docs/browser-guide.md, Headers); without them wisp runs on one thread.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  base: './',
  // Vite before 8 bundles packages for the development server, and would leave the worker and the modules of this one behind.
  optimizeDeps: { exclude: ['wisp-llm'] },
  // The example takes the package from this repository: a project that has it from npm needs no fs.allow.
  server: { headers, fs: { allow: ['../../..'] } },
  preview: { headers },
});
