// A process that ends between any two writes, and a machine that loses any of those which were not flushed: what is found
// afterwards is right, or not there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Entry } from '../../src/models/entry.js';
import { FolderStore } from '../../src/models/folder_store.js';
import type { Folder, RandomFile } from '../../src/models/folder.js';
import { LocalLocks } from '../../src/models/lock.js';
import { headerFor, sampleBytes } from './conformance.js';

const PIECE = 4096;
const SIZE = 3 * PIECE + 100;

type Operation =
  | { readonly kind: 'create' | 'remove' | 'flush'; readonly name: string }
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Uint8Array };

/** Files in memory, and the list of what was done to them. */
class LoggedFolder implements Folder {
  readonly log: Operation[] = [];
  readonly files = new Map<string, Uint8Array>();

  apply(operation: Operation): void {
    const { kind, name } = operation;
    if (kind === 'create') this.files.set(name, new Uint8Array(0));
    if (kind === 'remove') this.files.delete(name);
    if (kind !== 'write') return;
    const before = this.files.get(name) ?? new Uint8Array(0);
    const after = new Uint8Array(Math.max(before.length, operation.at + operation.bytes.length));
    after.set(before);
    after.set(operation.bytes, operation.at);
    this.files.set(name, after);
  }

  async names(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async open(name: string, access: 'read' | 'write' | 'create'): Promise<RandomFile | undefined> {
    if (access === 'create') this.note({ kind: 'create', name });
    if (!this.files.has(name)) return undefined;
    return {
      read: (into, at) => {
        const bytes = this.files.get(name)!.subarray(at, at + into.length);
        into.set(bytes);
        return bytes.length;
      },
      write: (bytes, at) => this.note({ kind: 'write', name, at, bytes: bytes.slice() }),
      flush: () => this.note({ kind: 'flush', name }),
      size: () => this.files.get(name)!.length,
      close: () => {},
    };
  }

  async remove(name: string): Promise<void> {
    this.note({ kind: 'remove', name });
  }

  private note(operation: Operation): void {
    this.log.push(operation);
    this.apply(operation);
  }
}

const storeIn = (folder: Folder) =>
  new FolderStore('files', new LocalLocks(), folder, async () => ({ used: 0, quota: Infinity }));

const oldBytes = sampleBytes(SIZE, 1);
const newBytes = sampleBytes(SIZE, 2);

/** One file, and then another in its place. */
async function story(): Promise<Operation[]> {
  const folder = new LoggedFolder();
  const store = storeIn(folder);
  for (const bytes of [oldBytes, newBytes]) {
    const header = { ...headerFor(SIZE, PIECE), validator: bytes === oldBytes ? '"old"' : '"new"' };
    const entry = new Entry(await store.create('m.0', header));
    for (const piece of [1, 0, 3, 2]) await entry.write(piece, bytes.slice(piece * PIECE, (piece + 1) * PIECE));
    await entry.flush();
    await entry.update({ complete: true });
    await entry.close();
  }
  return folder.log;
}

async function check(folder: LoggedFolder): Promise<number> {
  const stored = await storeIn(folder).open('m.0', 'read');
  if (stored === undefined) return 0;
  const entry = new Entry(stored);
  const bytes = entry.header.validator === '"old"' ? oldBytes : newBytes;
  let found = 0;
  for (let piece = 0; piece < entry.table.count; ++piece) {
    const into = new Uint8Array(entry.table.lengthOf(piece));
    if (!(await entry.read(piece, into))) continue;
    assert.deepEqual(into, bytes.slice(piece * PIECE, piece * PIECE + into.length), `piece ${piece}`);
    ++found;
  }
  return found;
}

test('a process that ends between any two writes leaves nothing wrong, and all that was recorded', async () => {
  const log = await story();
  const records = (end: number) =>
    log.slice(0, end).filter(({ kind, name }) => kind === 'write' && name.endsWith('.index')).length;
  let most = 0;
  for (let end = 0; end <= log.length; ++end) {
    const folder = new LoggedFolder();
    for (const operation of log.slice(0, end)) folder.apply(operation);
    const found = await check(folder);
    most = Math.max(most, found);
    // The first write to an index is its header, and the fifth and sixth are the last piece and the complete header.
    if (records(end) >= 2 && records(end) <= 5) assert.equal(found, records(end) - 1);
  }
  assert.equal(most, 4);
});

test('a machine that loses writes, or parts of them, leaves nothing wrong', async () => {
  const log = await story();
  let state = 11;
  const random = (below: number) => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 1000003) % below;
  let found = 0;
  for (let round = 0; round < 400; ++round) {
    const folder = new LoggedFolder();
    for (const operation of log.slice(0, random(log.length + 1))) {
      if (operation.kind === 'write' && random(4) === 0) {
        if (random(2) === 0) continue;
        folder.apply({ ...operation, bytes: operation.bytes.subarray(0, random(operation.bytes.length)) });
      } else {
        folder.apply(operation);
      }
    }
    found += await check(folder);
  }
  assert.ok(found > 100, `${found} pieces`);
});

test('bytes are put on the disk before the records that speak of them', async () => {
  const log = await story();
  const flushes = log.filter(({ kind }) => kind === 'flush').map(({ name }) => name.split('.').at(-1));
  assert.deepEqual(flushes.slice(0, 2), ['data', 'index']);
});
