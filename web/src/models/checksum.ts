// XXH32 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) of a piece: finds what a disk, a browser or
// another page damaged, at the speed of memory. It is no protection against somebody who means it; SHA-256 over the
// whole file is.

const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;
const P4 = 0x27d4eb2f | 0;
const P5 = 0x165667b1 | 0;

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

// Little endian, as all of WebAssembly's hosts are.
export function checksum(bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const count = aligned.length;
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, count >>> 2);
  let hash: number;
  let at = 0; // in words
  if (count >= 16) {
    let a = (P1 + P2) | 0,
      b = P2,
      c = 0,
      d = -P1 | 0;
    for (const end = words.length - 3; at < end; at += 4) {
      a = Math.imul(rotate((a + Math.imul(words[at]!, P2)) | 0, 13), P1);
      b = Math.imul(rotate((b + Math.imul(words[at + 1]!, P2)) | 0, 13), P1);
      c = Math.imul(rotate((c + Math.imul(words[at + 2]!, P2)) | 0, 13), P1);
      d = Math.imul(rotate((d + Math.imul(words[at + 3]!, P2)) | 0, 13), P1);
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  } else {
    hash = P5;
  }
  hash = (hash + count) | 0;
  for (; at < words.length; ++at) hash = Math.imul(rotate((hash + Math.imul(words[at]!, P3)) | 0, 17), P4);
  for (let byte = at * 4; byte < count; ++byte)
    hash = Math.imul(rotate((hash + Math.imul(aligned[byte]!, P5)) | 0, 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
