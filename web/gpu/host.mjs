// The GPU of a module instance: the import that its devices run through, and the devices that were opened for it.
//
//   const gpu = new GpuHost();
//   const instance = await WebAssembly.instantiate(module, { env: { memory }, wisp_gpu: gpu.imports });
//   gpu.attach(instance.exports, memory);
//   const device = await gpu.open(navigator.gpu);   // a pointer for the exports that take a device
import { openDevice } from './adapter.mjs';
import { tellModule } from './answers.mjs';
import { StreamDevice } from './device.mjs';
import { packInfo } from './info.mjs';

const DESTROY = 0; // JsEnd of engine/gpu/js/js_device.h

export class GpuHost {
  #exports;
  #memory;
  #devices = new Map(); // by the number that the module calls them
  #last = 0;

  /** What the module imports as `wisp_gpu`. Its other threads get the same and never call it. */
  imports = {
    run: (number, address, words) => {
      const device = this.#devices.get(number);
      if (words !== 0) return device?.run(address, words);
      if (address === DESTROY) return device?.destroy();
      device?.release();
      this.#devices.delete(number);
    },
  };

  /** Called after each answer of a device: the module may have something to do now. */
  onanswer = () => {};

  /**
   * @param {WebAssembly.Exports} exports
   * @param {WebAssembly.Memory} memory
   */
  attach(exports, memory) {
    this.#exports = exports;
    this.#memory = memory;
  }

  /**
   * Opens a device and makes the module's object of it.
   * @param {GPU | undefined} gpu
   * @param {import('./adapter.mjs').DeviceOptions} [options]
   * @returns {Promise<{pointer: number, info: import('./adapter.mjs').DeviceInfo}>}
   */
  async open(gpu, options) {
    const { device, info } = await openDevice(gpu, options);
    const number = ++this.#last;
    const { words, names } = packInfo(info);
    const at = [new Uint8Array(words.buffer), names].map(bytes => this.#put(bytes));
    const pointer = this.#exports.wisp_gpu_create(number, at[0], words.length, at[1], names.length) >>> 0;
    at.forEach(address => this.#exports.wisp_free(address));
    if (pointer === 0) throw new Error('the module does not take this device: module and page are of two versions');
    const answer = what => {
      tellModule(this.#exports, this.#memory, pointer, what);
      this.onanswer();
    };
    this.#devices.set(number, new StreamDevice(device, this.#memory, answer, info.limits.maxStorageBufferBindingSize));
    return { pointer, info };
  }

  /** Loses every device, as a driver's reset would. For tests. */
  loseAll() {
    for (const device of this.#devices.values()) device.destroy();
  }

  #put(bytes) {
    const at = this.#exports.wisp_alloc(bytes.length) >>> 0;
    if (at === 0) throw new Error(`the module has no ${bytes.length} bytes left`);
    new Uint8Array(this.#memory.buffer, at, bytes.length).set(bytes);
    return at;
  }
}
