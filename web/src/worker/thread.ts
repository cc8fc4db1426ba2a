// A thread of the module as a browser's worker.
import { runThread, type ThreadPlace } from '../module/module.js';
import { live } from '../platform/life.js';
import type { ThreadSeed, ThreadWord } from '../platform/threads.js';

const tell = (word: ThreadWord | { type: 'alive' }): void => self.postMessage(word);

self.onmessage = async ({ data: { life, module, port } }: MessageEvent<ThreadSeed & { life: string }>) => {
  await live(life);
  tell({ type: 'alive' });
  port.onmessageerror = () => tell({ type: 'failed', reason: 'a thread could not read where it belongs' });
  port.onmessage = ({ data }: MessageEvent<ThreadPlace>) => runThread({ module, ...data }, tell);
};
self.onmessageerror = () => tell({ type: 'failed', reason: 'a thread could not read the module' });
