// The conformance of stores that Node can run; browser/run.mjs has the others.
import assert from 'node:assert/strict';
import { mkdtemp, open as openFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { openStore } from '../../src/models/open_store.js';
import { openTexts } from '../../src/models/texts.js';
import { LeaseLocks, type Leases } from '../../src/models/lock.js';
import type { Store } from '../../src/models/store.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { checks, type Fixture } from './conformance.js';

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/wisp-store-`);
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function flipBit(path: string, at: number): Promise<void> {
  const file = await openFile(path, 'r+');
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 4;
  await file.write(byte, 0, 1, at);
  await file.close();
}

for (const check of checks) {
  test(`memory: ${check.name}`, async () => {
    let store: Store;
    await check.run({ open: async () => (store = new MemoryStore(Infinity)), again: async () => store });
  });
  test(`files: ${check.name}`, () =>
    withFolder(async folder => {
      const open = () => openStore('files', folder);
      const fixture: Fixture = {
        open,
        again: open,
        damage: (id, piece, pieceBytes) => flipBit(`${folder}/${id}.data`, piece * pieceBytes + 5),
      };
      await check.run(fixture);
    }));
}

test('a folder is readable by its owner only, and what is no index is left out', () =>
  withFolder(async folder => {
    const place = `${folder}/a/b`;
    const store = await openStore('files', place);
    assert.equal((await stat(place)).mode & 0o777, 0o700);
    await writeFile(`${place}/x.index`, 'nonsense');
    await writeFile(`${place}/y.index`, '');
    assert.deepEqual(await store.list(), []);
    assert.equal(await store.open('x', 'read'), undefined);
    const { used, quota } = await store.usage();
    assert.ok(used >= 0 && quota > 1e6);
  }));

test('a lease ends by itself when its owner is gone, and not before', () =>
  withFolder(async folder => {
    const store = await openStore('files', folder);
    await writeFile(`${folder}/m.lock`, JSON.stringify({ owner: 'gone', until: Date.now() + 120 }));
    assert.equal(await store.locks.tryAcquire('m', 'exclusive'), undefined);
    const began = Date.now();
    const held = await store.locks.acquire('m', 'exclusive');
    assert.ok(Date.now() - began >= 100);
    await held.release();
    assert.deepEqual(await readdir(folder), []);
  }));

test('a lease that is held is renewed', async () => {
  const taken: number[] = [];
  const leases: Leases = { take: async (_name, _owner, until) => (taken.push(until), true), drop: async () => {} };
  const held = await new LeaseLocks(leases, 60).acquire('m', 'exclusive');
  await new Promise(resolve => setTimeout(resolve, 110));
  await held.release();
  const count = taken.length;
  assert.ok(count >= 3, `${count} times`);
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(taken.length, count, 'not when it was given back');
});

test('texts by name, in a folder', () =>
  withFolder(async folder => {
    const texts = await openTexts(`${folder}/texts`);
    assert.deepEqual(await texts.load(), new Map());
    await texts.save(
      new Map([
        ['tuning-1.2', 'a'],
        ['../x', 'b'],
        ['shader', 'c'],
      ]),
    );
    await texts.save(new Map([['shader', 'd']]));
    assert.deepEqual([...(await (await openTexts(`${folder}/texts`)).load())].sort(), [
      ['shader', 'd'],
      ['tuning-1.2', 'a'],
    ]);
    assert.deepEqual(await readdir(folder), ['texts']);
    await texts.clear();
    assert.deepEqual(await texts.load(), new Map());
    const nowhere = await openTexts('/dev/null/x');
    await nowhere.save(new Map([['a', 'b']]));
    assert.deepEqual(await nowhere.load(), new Map());
  }));
