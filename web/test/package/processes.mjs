// How much memory the processes of a browser have held, as Linux counts it; nothing elsewhere.
import { readdirSync, readFileSync } from 'node:fs';

const read = path => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended
  }
};

// Chromium names its processes by --type=, Firefox by their last argument; the first one of both has no name. Chromium
// joins the arguments of some by spaces.
function nameOf(pid) {
  const line = read(`/proc/${pid}/cmdline`).split(/[\0 ]/).filter(Boolean);
  const type = line.find(word => word.startsWith('--type='))?.slice('--type='.length);
  return type ?? (line.includes('-contentproc') ? line.at(-1) : 'browser');
}

/**
 * Of all processes below this one: the most that any of a name has held at once, in bytes, files mapped into it included.
 * @returns {Record<string, number>}
 */
export function peaksOfBrowser() {
  let all;
  try {
    all = readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(Number);
  } catch {
    return {};
  }
  const children = new Map(); // by parent
  for (const pid of all) {
    // The name stands in brackets and may hold anything; the parent is the second word behind it.
    const parent = Number(read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const peaks = {};
  const visit = parent => (children.get(parent) ?? []).forEach(pid => {
    const kibibytes = Number(/^VmHWM:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    const name = nameOf(pid);
    peaks[name] = Math.max(peaks[name] ?? 0, 1024 * kibibytes);
    visit(pid);
  });
  visit(process.pid);
  return peaks;
}
