// Ways between the module's memory and the device: buffers that reads are mapped from, and writes from memory that a
// browser may refuse to read itself because threads share it.

const MAP_READ = 1; // GPUMapMode.READ and GPUBufferUsage.MAP_READ
const COPY_SRC = 4; // GPUBufferUsage, by WebGPU's numbers
const COPY_DST = 8;
const SMALLEST = 256;
const KEPT_BYTES = 32 << 20;
const PIECE_BYTES = 1 << 20;

/** Buffers for reading back: by powers of two, used again while they are few. */
export class ReadPool {
  #device;
  #free = new Map(); // size -> buffers
  #freeBytes = 0;

  /** @param {GPUDevice} device */
  constructor(device) {
    this.#device = device;
  }

  /** A buffer that `bytes` may be copied to. */
  take(bytes) {
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)));
    const buffer = this.#free.get(size)?.pop();
    if (buffer === undefined) {
      return this.#device.createBuffer({ label: 'wisp read', size, usage: MAP_READ | COPY_DST });
    }
    this.#freeBytes -= size;
    return buffer;
  }

  /** Maps the buffer, copies its first bytes to `address` of the module's memory where they are `wanted` still, unmaps it. */
  async fetch(buffer, bytes, memory, address, wanted) {
    await buffer.mapAsync(MAP_READ, 0, bytes);
    if (!wanted()) return;
    // The memory may have grown meanwhile, so its buffer is asked for now.
    new Uint8Array(memory.buffer, address, bytes).set(new Uint8Array(buffer.getMappedRange(0, bytes)));
    buffer.unmap();
  }

  give(buffer) {
    if (this.#freeBytes + buffer.size > KEPT_BYTES) return buffer.destroy();
    this.#freeBytes += buffer.size;
    if (!this.#free.has(buffer.size)) this.#free.set(buffer.size, []);
    this.#free.get(buffer.size).push(buffer);
  }
}

/** Writes from the module's memory into buffers. */
export class Writer {
  #queue;
  #piece = null; // plain memory between shared memory and the queue

  /**
   * @param {GPUDevice} device
   * @param {boolean} shared whether threads share the memory that is written from
   */
  constructor(device, shared) {
    this.#queue = device.queue;
    if (shared && !takesSharedMemory(device)) this.#piece = new Uint8Array(PIECE_BYTES);
  }

  /** Bytes of `memory` (an ArrayBuffer or SharedArrayBuffer), which are read before this returns. */
  write(buffer, offset, memory, address, bytes) {
    if (this.#piece === null) return this.#queue.writeBuffer(buffer, offset, memory, address, bytes);
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, bytes - done);
      this.#piece.set(new Uint8Array(memory, address + done, count));
      this.#queue.writeBuffer(buffer, offset + done, this.#piece, 0, count);
    }
  }
}

function takesSharedMemory(device) {
  const buffer = device.createBuffer({ label: 'wisp probe', size: 4, usage: COPY_SRC | COPY_DST });
  try {
    device.queue.writeBuffer(buffer, 0, new SharedArrayBuffer(4));
    return true;
  } catch {
    return false;
  } finally {
    buffer.destroy();
  }
}
