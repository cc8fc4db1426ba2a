// The engine's worker in a browser.
import { lineToPage, webPlatform } from '../platform/web.js';
import type { ToWorker } from '../protocol.js';
import { Host } from './host.js';

const line = lineToPage();
const host = new Host(webPlatform, (message, transfer) => line.post(message, transfer));
line.listen(message => host.take(message as ToWorker));
