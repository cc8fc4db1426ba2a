// A thread of the module as a thread of Node.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';

import { runThread, type ThreadStart } from '../module/module.js';

const { start, port } = workerData as { start: ThreadStart; port: MessagePort };
runThread(start, () => parentPort?.postMessage('ready'), reason => port.postMessage(reason));
