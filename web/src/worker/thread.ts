// A thread of the module as a browser's worker.
import { runThread, type ThreadStart } from '../module/module.js';

self.onmessage = ({ data }: MessageEvent<ThreadStart>) => runThread(data, () => self.postMessage('ready'));
