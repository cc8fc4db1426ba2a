import { fileURLToPath } from 'node:url';

// webpack 5 follows `new Worker(new URL(..))` and `new URL('./x.wasm', import.meta.url)` by itself: nothing has to be set for wisp.
export default {
  mode: 'production',
  entry: './src/main.js',
  output: { path: fileURLToPath(new URL('dist/', import.meta.url)), filename: 'main.js', clean: true },
  performance: { hints: false },
};
