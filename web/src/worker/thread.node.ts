// A thread of the module as a thread of Node.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import { runThread, type ThreadPlace } from '../module/module.js';
import type { ThreadSeed } from '../platform/threads.js';

const { module, port } = workerData as ThreadSeed;
const { message } = receiveMessageOnPort(port as never) as { message: ThreadPlace };
runThread({ module, ...message }, word => parentPort?.postMessage(word));
