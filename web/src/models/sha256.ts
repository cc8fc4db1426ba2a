// SHA-256 (FIPS 180-4) of bytes that come in pieces: WebCrypto only knows it of bytes that are all in memory. The state
// between two blocks can be kept, so that a download goes on hashing where an earlier one ended.

const K = new Int32Array(64);
const START = new Int32Array(8);

// The first 32 bits behind the point of the cube roots of the first 64 primes, and of the square roots of the first 8.
// Their integers are taken by BigInt, as a double has 53 bits and the cube roots of larger primes need them all.
{
  const root = (value: bigint, power: bigint): bigint => {
    let low = 0n;
    let high = 1n << 40n;
    while (low + 1n < high) {
      const middle = (low + high) >> 1n;
      if (middle ** power <= value) low = middle;
      else high = middle;
    }
    return low;
  };
  let count = 0;
  for (let prime = 2n; count < 64; ++prime) {
    let isPrime = true;
    for (let factor = 2n; factor * factor <= prime && isPrime; ++factor) isPrime = prime % factor !== 0n;
    if (!isPrime) continue;
    K[count] = Number(BigInt.asIntN(32, root(prime << 96n, 3n)));
    if (count < 8) START[count] = Number(BigInt.asIntN(32, root(prime << 64n, 2n)));
    ++count;
  }
}

const BLOCK = 64;

export interface Sha256State {
  readonly bytes: number; // that went in; a multiple of 64
  readonly words: readonly number[]; // 8, unsigned
}

export class Sha256 {
  private readonly words = START.slice();
  private readonly schedule = new Int32Array(64);
  private readonly block = new Uint8Array(BLOCK);
  private pending = 0; // bytes in `block`
  private count = 0;

  get bytes(): number {
    return this.count;
  }

  static resume(state: Sha256State): Sha256 {
    const hash = new Sha256();
    state.words.forEach((word, index) => {
      hash.words[index] = word;
    });
    hash.count = state.bytes;
    return hash;
  }

  /** Only where a multiple of 64 bytes went in. */
  state(): Sha256State | undefined {
    return this.pending === 0 ? { bytes: this.count, words: [...this.words].map(word => word >>> 0) } : undefined;
  }

  update(bytes: Uint8Array): this {
    this.count += bytes.length;
    let at = 0;
    if (this.pending > 0) {
      at = Math.min(BLOCK - this.pending, bytes.length);
      this.block.set(bytes.subarray(0, at), this.pending);
      this.pending += at;
      if (this.pending < BLOCK) return this;
      this.compress(this.block, 0);
      this.pending = 0;
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.compress(bytes, at);
    this.block.set(bytes.subarray(at));
    this.pending = bytes.length - at;
    return this;
  }

  /** 64 hexadecimal digits in lower case. Nothing may be added afterwards. */
  digest(): string {
    const bits = BigInt(this.count) * 8n;
    const tail = new Uint8Array((this.pending < 56 ? 64 : 128) - this.pending);
    tail[0] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
    this.update(tail);
    return [...this.words].map(word => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  private compress(bytes: Uint8Array, at: number): void {
    const w = this.schedule;
    for (let i = 0; i < 16; ++i, at += 4) {
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; ++i) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    const words = this.words;
    let a = words[0]!,
      b = words[1]!,
      c = words[2]!,
      d = words[3]!,
      e = words[4]!,
      f = words[5]!,
      g = words[6]!,
      h = words[7]!;
    for (let i = 0; i < 64; ++i) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[i]! + w[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    words[0]! += a;
    words[1]! += b;
    words[2]! += c;
    words[3]! += d;
    words[4]! += e;
    words[5]! += f;
    words[6]! += g;
    words[7]! += h;
  }
}

export const sha256 = (bytes: Uint8Array): string => new Sha256().update(bytes).digest();
