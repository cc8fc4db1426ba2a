// A thread of the module as a thread of Node.
import { parentPort, workerData } from 'node:worker_threads';

import { runThread, type ThreadStart } from '../module/module.js';

runThread(workerData as ThreadStart, word => parentPort?.postMessage(word));
