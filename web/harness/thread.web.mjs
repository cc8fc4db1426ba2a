// A thread of the module as a browser's worker.
import { runThread } from './module.mjs';

self.onmessage = ({ data }) => runThread(data, () => self.postMessage('ready'));
