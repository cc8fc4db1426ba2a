// Gives Node a GPU: npm's `webgpu` (Dawn), as the harness has it, in the main thread and in every worker: node --import THIS ...
import { create, globals } from '../../web/harness/node_modules/webgpu/index.js';

Object.assign(globalThis, globals);
// Matrix units are an experiment of Dawn's, and behind this.
const gpu = create(['enable-dawn-features=allow_unsafe_apis']);
Object.defineProperty(globalThis, 'navigator', { value: { ...globalThis.navigator, gpu }, configurable: true });
