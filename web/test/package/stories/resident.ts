// Memory of the browser's processes, where the system tells it.
import { readdir, readFile } from 'node:fs/promises';

/** Resident bytes that belong to the descendants of this process alone; nothing on systems without /proc. */
export async function residentBytes(): Promise<number | undefined> {
  const parents = new Map<number, number>();
  try {
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (stat !== '') parents.set(Number(name), parent);
    }
  } catch {
    return undefined;
  }
  const isOurs = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) if (at === process.pid) return true;
    return false;
  };
  let sum = 0;
  for (const pid of parents.keys()) {
    if (!isOurs(pid)) continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    for (const line of rollup.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)) sum += 1024 * Number(line[1]);
  }
  return sum;
}
