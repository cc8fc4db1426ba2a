// Hashes by the vectors of their specifications, and the index file against everything that can be torn off it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { checksum } from '../../src/models/checksum.js';
import { headerWrite, readIndex, recordWrite, type Write } from '../../src/models/index_file.js';
import { Sha256, sha256 } from '../../src/models/sha256.js';
import { isHeader, type EntryHeader } from '../../src/models/store.js';

const utf8 = (text: string) => new TextEncoder().encode(text);

test('SHA-256 by the vectors of FIPS 180', () => {
  assert.equal(sha256(utf8('')), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(sha256(utf8('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(
    sha256(utf8('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  );
  assert.equal(
    sha256(new Uint8Array(1_000_000).fill(0x61)),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  );
});

test('SHA-256 of pieces is that of the whole, also when it goes on from a state', () => {
  const bytes = new Uint8Array(1000).map((_, index) => index * 7);
  for (let length = 0; length < 300; ++length) {
    const part = bytes.subarray(0, length);
    assert.equal(sha256(part), createHash('sha256').update(part).digest('hex'), `${length} bytes`);
  }
  for (const cut of [1, 63, 64, 65, 128, 500]) {
    const hash = new Sha256().update(bytes.subarray(0, cut)).update(bytes.subarray(cut));
    assert.equal(hash.digest(), sha256(bytes), `cut at ${cut}`);
  }
  assert.equal(new Sha256().update(bytes.subarray(0, 65)).state(), undefined);
  const state = new Sha256().update(bytes.subarray(0, 640)).state()!;
  assert.equal(
    Sha256.resume(JSON.parse(JSON.stringify(state)))
      .update(bytes.subarray(640))
      .digest(),
    sha256(bytes),
  );
});

test('checksums by the vectors of XXH32, at any alignment', () => {
  assert.equal(checksum(utf8('')), 0x02cc5d05);
  assert.equal(checksum(utf8('abc')), 0x32d153ff);
  const text = utf8('Nobody inspects the spammish repetition');
  assert.equal(checksum(text), 0xe2293b2f);
  for (let shift = 0; shift < 5; ++shift) {
    const moved = new Uint8Array(text.length + shift);
    moved.set(text, shift);
    assert.equal(checksum(moved.subarray(shift)), 0xe2293b2f);
  }
});

test('a checksum notices every bit', () => {
  const bytes = new Uint8Array(67).map((_, index) => index * 31);
  const right = checksum(bytes);
  for (let bit = 0; bit < bytes.length * 8; ++bit) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(checksum(bytes), right, `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

const header: EntryHeader = {
  format: 1,
  source: 'hf:a/b:m.gguf',
  size: 10_001,
  sha256: '',
  validator: '"x"',
  pieceBytes: 4096,
  created: 1,
  lastUsed: 2,
  complete: false,
  model: { id: 'm-0', name: 'hf:a/b:m.gguf', stem: 'm', type: '', part: 0, parts: 1, bytes: 10_001, automatic: false },
};

function fileOf(...writes: Write[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(...writes.map(write => write.at + write.bytes.length)));
  for (const write of writes) bytes.set(write.bytes, write.at);
  return bytes;
}

test('an index is read as it was written, the newer header first', () => {
  const file = fileOf(
    headerWrite(header, 0),
    recordWrite(0, 0),
    recordWrite(2, 77),
    headerWrite({ ...header, complete: true }, 1),
  );
  const index = readIndex(file)!;
  assert.equal(index.header.complete, true);
  assert.equal(index.generation, 1);
  assert.deepEqual(
    [0, 1, 2].map(piece => index.table.has(piece)),
    [true, false, true],
    'zero is a checksum, too',
  );
  assert.equal(index.table.checksums[2], 77);
  assert.equal(index.table.bytes, 4096 + 10_001 - 8192);
});

test('a header that was torn leaves the one before it', () => {
  const newer = headerWrite({ ...header, complete: true }, 1);
  for (let cut = 0; cut < 400; cut += 7) {
    const file = fileOf(
      headerWrite(header, 0),
      { at: newer.at, bytes: newer.bytes.subarray(0, cut) },
      recordWrite(1, 5),
    );
    const index = readIndex(file)!;
    assert.equal(index.header.complete, cut > 16 + JSON.stringify({ ...header, complete: true }).length - 1);
    assert.ok(index.table.has(1));
  }
});

test('hostile indexes are nothing', () => {
  const whole = fileOf(headerWrite(header, 0), recordWrite(0, 9), recordWrite(1, 10), recordWrite(2, 11));
  assert.equal(readIndex(new Uint8Array(0)), undefined);
  let state = 5;
  const random = (below: number) => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 1000003) % below;
  for (let i = 0; i < 3000; ++i) {
    const file = whole.slice(0, random(4) === 0 ? random(whole.length) : whole.length);
    for (let n = 1 + random(4); n > 0 && file.length > 0; --n)
      file[random(2) === 0 ? random(file.length) : random(Math.min(400, file.length))]! ^= 1 << random(8);
    const index = readIndex(file);
    if (index !== undefined) assert.deepEqual(index.header, header, 'a header that was changed is not taken');
  }
  assert.equal(isHeader({ ...header, size: -1 }), false);
  assert.equal(isHeader({ ...header, pieceBytes: 0 }), false);
  assert.equal(isHeader({ ...header, hashed: { bytes: 3, words: [] } }), false);
  assert.equal(isHeader({ ...header, model: null }), false);
});
