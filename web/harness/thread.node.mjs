// A thread of the module as a Node worker.
import { parentPort, workerData } from 'node:worker_threads';
import { runThread } from './module.mjs';

runThread(workerData, () => parentPort.postMessage('ready'));
