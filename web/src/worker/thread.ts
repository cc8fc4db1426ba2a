// A thread of the module as a browser's worker.
import { runThread, type ThreadStart } from '../module/module.js';
import { live } from '../platform/life.js';

self.onmessage = async ({ data: { start, life } }: MessageEvent<{ start: ThreadStart; life: string }>) => {
  await live(life);
  runThread(start, word => self.postMessage(word));
};
