// The engine's worker in Node.
import { lineToPage, nodePlatform } from '../platform/node.js';
import type { ToWorker } from '../protocol.js';
import { Host } from './host.js';

const line = lineToPage();
const host = new Host(nodePlatform, (message, transfer) => line.post(message, transfer));
line.listen(message => host.take(message as ToWorker));
