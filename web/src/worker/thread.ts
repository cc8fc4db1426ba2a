// A thread of the module as a browser's worker.
import { runThread, type ThreadStart } from '../module/module.js';
import { live } from '../platform/life.js';

self.onmessage = async ({ data: { start, life, port } }: MessageEvent<{ start: ThreadStart; life: string; port: MessagePort }>) => {
  await live(life);
  try {
    runThread(start, () => self.postMessage('ready'), reason => port.postMessage(reason));
  } catch (error) {
    self.postMessage({ refusal: error instanceof Error ? error.message : String(error) });
  }
};
