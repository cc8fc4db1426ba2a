// Executes command streams (engine/gpu/device/commands.h) on a GPUDevice. Nothing here waits or throws: what goes
// wrong, and what takes time, is an answer.
import { Answer } from './answers.mjs';
import { CommandReader, Opcode } from './commands.mjs';
import { compile } from './compile.mjs';
import { ReadPool, Writer } from './staging.mjs';

/** @typedef {import('./answers.mjs').DeviceAnswer} DeviceAnswer */

// WebGPU's usages by the bits of create_buffer; copies are always allowed.
const COPIES = 4 | 8;
const USAGES = [0x80, 0x40, 0x200]; // storage, uniform, query resolve
const BINDINGS = [
  { type: 'read-only-storage' }, { type: 'storage' }, { type: 'uniform' }, { type: 'uniform', hasDynamicOffset: true },
];
const COMPUTE = 4; // GPUShaderStage.COMPUTE
const SCOPES = ['validation', 'out-of-memory'];
// A failed read waits so long for the loss that made it fail.
const LOSS_MILLISECONDS = 200;

export class StreamDevice {
  #device;
  #memory;
  #answer;
  #maxBindingBytes;
  #reads;
  #writer;
  #things = new Map(); // by id: {kind, value}, and `compiling` of a pipeline
  #ended = false;
  // The stream being executed.
  #encoder = null;
  #pass = null;
  #ready = false; // the pass has what its next dispatch needs
  #recorded = []; // reads that were not submitted yet
  #signals = [];
  #ticket = null; // {kind, ticket} that the command at hand must answer

  /**
   * @param {GPUDevice} device
   * @param {WebAssembly.Memory} memory that streams and what they name lie in
   * @param {(answer: DeviceAnswer) => void} answer
   * @param {number} maxBindingBytes bindings past it are refused: a device cannot be asked for less than WebGPU's default
   */
  constructor(device, memory, answer, maxBindingBytes = Infinity) {
    this.#device = device;
    this.#memory = memory;
    this.#maxBindingBytes = maxBindingBytes;
    this.#answer = what => { if (!this.#ended) answer(what); };
    this.#reads = new ReadPool(device);
    this.#writer = new Writer(device, !(memory.buffer instanceof ArrayBuffer));
    device.addEventListener('uncapturederror', ({ error }) => this.#complain(error.message));
    device.lost.then(({ reason, message }) => {
      this.#answer({ kind: Answer.lost, message: message || `the device was lost (${reason})` });
      this.#ended = true;
    });
  }

  /** Executes the stream of `words` words at `address`. */
  run(address, words) {
    if (this.#ended) return;
    const reader = new CommandReader(this.#memory, address, words);
    for (let opcode = reader.next(); opcode !== 0; opcode = reader.next()) this.#attempt(() => this.#execute(opcode, reader));
    this.#attempt(() => this.#submit());
  }

  /** Loses the device on purpose. */
  destroy() {
    this.#device.destroy();
  }

  /** Answers nothing more, and gives everything back. */
  release() {
    this.#ended = true;
    this.#device.destroy();
  }

  #complain(message) {
    this.#answer({ kind: Answer.uncapturedError, message });
  }

  #attempt(step) {
    this.#ticket = null;
    try {
      step();
    } catch (error) {
      this.#complain(error.message);
      if (this.#ticket !== null) this.#answer({ ...this.#ticket, ok: false, message: error.message });
    }
  }

  // ---- things by id ----

  #find(kind, id) {
    const thing = this.#things.get(id);
    if (thing?.kind !== kind) throw new Error(`${kind} ${id} is not there`);
    return thing.value;
  }

  #keep(kind, id, value) {
    this.#things.set(id, { kind, value });
  }

  // ---- the commands ----

  #execute(opcode, r) {
    switch (opcode) {
      case Opcode.createBuffer: return this.#createBuffer(r);
      case Opcode.destroyBuffer: return this.#destroy('buffer', r.word());
      case Opcode.writeBuffer: return this.#writeBuffer(r);
      case Opcode.createLayout: return this.#createLayout(r);
      case Opcode.createPipeline: return this.#createPipeline(r);
      case Opcode.createBindGroup: return this.#createBindGroup(r);
      case Opcode.createQuerySet:
        return this.#keep('query set', r.word(), this.#device.createQuerySet({ type: 'timestamp', count: r.word() }));
      case Opcode.destroyQuerySet: return this.#destroy('query set', r.word());
      case Opcode.destroyPipeline:
      case Opcode.destroyBindGroup: return this.#things.delete(r.word());
      case Opcode.beginPass: return this.#beginPass(r);
      case Opcode.setPipeline: return this.#setPipeline(r.word());
      case Opcode.setBindGroup: return this.#setBindGroup(r);
      case Opcode.dispatch: return this.#dispatch(r.word(), r.word(), r.word());
      case Opcode.endPass: return this.#endPass();
      case Opcode.copyBuffer: return this.#copyBuffer(r);
      case Opcode.clearBuffer: return this.#record().clearBuffer(this.#find('buffer', r.word()), r.word64(), r.word64());
      case Opcode.resolveQueries:
        return this.#record().resolveQuerySet(this.#find('query set', r.word()), r.word(), r.word(),
          this.#find('buffer', r.word()), r.word64());
      case Opcode.readBuffer: return this.#readBuffer(r);
      case Opcode.signal: return this.#signals.push(r.word());
      case Opcode.pushErrorScope: return this.#device.pushErrorScope(SCOPES[r.word()]);
      case Opcode.popErrorScope: return this.#popErrorScope(r.word());
      default: throw new Error(`command ${opcode} is unknown`);
    }
  }

  #createBuffer(r) {
    const id = r.word();
    const bits = r.word();
    const usage = USAGES.reduce((all, one, bit) => all | ((bits >> bit) & 1 ? one : 0), COPIES);
    this.#keep('buffer', id, this.#device.createBuffer({ usage, size: r.word64(), label: r.text() }));
  }

  /** Memory goes at once, after the work that was recorded before. */
  #destroy(kind, id) {
    const thing = this.#things.get(id);
    if (thing?.kind !== kind) return;
    this.#submit();
    thing.value.destroy();
    this.#things.delete(id);
  }

  #writeBuffer(r) {
    const buffer = this.#find('buffer', r.word());
    const offset = r.word64();
    const address = r.word64();
    const bytes = r.word64();
    if (bytes === 0) return;
    this.#submit(); // the queue would put the write before work that is recorded
    this.#writer.write(buffer, offset, this.#memory.buffer, address, bytes);
  }

  #createLayout(r) {
    const id = r.word();
    const label = r.text();
    const entries = r.list(binding => ({ binding, visibility: COMPUTE, buffer: BINDINGS[r.word()] }));
    this.#keep('layout', id, this.#device.createBindGroupLayout({ label, entries }));
  }

  #createPipeline(r) {
    const id = r.word();
    const ticket = r.word();
    this.#ticket = { kind: Answer.pipeline, ticket };
    const code = r.text();
    const label = r.text();
    const layouts = r.list(() => this.#find('layout', r.word()));
    const thing = { kind: 'pipeline', value: null, compiling: true };
    this.#things.set(id, thing);
    compile(this.#device, { code, label, layouts }).then(({ pipeline, message }) => {
      Object.assign(thing, { value: pipeline, compiling: false });
      this.#answer({ kind: Answer.pipeline, ticket, ok: pipeline !== null, message });
    });
  }

  #createBindGroup(r) {
    const id = r.word();
    const layout = this.#find('layout', r.word());
    const label = r.text();
    const entries = r.list(binding => ({
      binding, resource: { buffer: this.#find('buffer', r.word()), offset: r.word64(), size: r.word64() },
    }));
    const large = entries.find(({ resource }) => resource.size > this.#maxBindingBytes);
    if (large) throw new Error(`${label}: a binding of ${large.resource.size} bytes is past ${this.#maxBindingBytes}`);
    this.#keep('bind group', id, this.#device.createBindGroup({ label, layout, entries }));
  }

  #beginPass(r) {
    this.#endPass();
    const label = r.text();
    const queries = r.word();
    const first = r.word();
    const timestampWrites = queries === 0 ? undefined : {
      querySet: this.#find('query set', queries), beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1,
    };
    this.#pass = this.#record().beginComputePass({ label, timestampWrites });
    this.#ready = false;
  }

  /** What cannot be set leaves the dispatches behind it out. */
  #setPipeline(id) {
    this.#ready = false;
    const pipeline = this.#find('pipeline', id);
    if (this.#pass === null) throw new Error('set_pipeline outside a pass');
    if (pipeline === null) {
      throw new Error(this.#things.get(id).compiling ? `pipeline ${id} is used before it is compiled`
        : `pipeline ${id}, which does not compile, is used`);
    }
    this.#pass.setPipeline(pipeline);
    this.#ready = true;
  }

  #setBindGroup(r) {
    const number = r.word();
    const id = r.word();
    const offsets = r.list(() => r.word());
    if (this.#pass === null) throw new Error('set_bind_group outside a pass');
    const ready = this.#ready;
    this.#ready = false;
    this.#pass.setBindGroup(number, this.#find('bind group', id), offsets);
    this.#ready = ready;
  }

  #dispatch(x, y, z) {
    if (this.#ready) this.#pass.dispatchWorkgroups(x, y, z);
  }

  #copyBuffer(r) {
    const from = this.#find('buffer', r.word());
    const fromOffset = r.word64();
    const to = this.#find('buffer', r.word());
    this.#record().copyBufferToBuffer(from, fromOffset, to, r.word64(), r.word64());
  }

  #readBuffer(r) {
    const ticket = r.word();
    this.#ticket = { kind: Answer.read, ticket };
    const buffer = this.#find('buffer', r.word());
    const offset = r.word64();
    const bytes = r.word64();
    const staging = this.#reads.take(bytes);
    this.#record().copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    this.#recorded.push({ ticket, staging, bytes, address: r.word64() });
  }

  #popErrorScope(ticket) {
    this.#ticket = { kind: Answer.errorScope, ticket };
    this.#submit(); // what was recorded inside belongs to the scope
    const tell = (ok, outOfMemory, message) => this.#answer({ kind: Answer.errorScope, ticket, ok, outOfMemory, message });
    this.#device.popErrorScope().then(
      error => tell(error === null, isOutOfMemory(error), error?.message ?? ''), error => tell(false, false, error.message));
  }

  // ---- recording ----

  #record() {
    this.#encoder ??= this.#device.createCommandEncoder({ label: 'wisp stream' });
    return this.#encoder;
  }

  #endPass() {
    this.#pass?.end();
    this.#pass = null;
    this.#ready = false;
  }

  #submit() {
    this.#endPass();
    const reads = this.#recorded.splice(0);
    if (this.#encoder !== null) {
      // Invalid work is not done and its staging buffers hold nothing, which mapping them would not tell.
      if (reads.length > 0) this.#device.pushErrorScope('validation');
      const encoder = this.#encoder;
      this.#encoder = null;
      this.#device.queue.submit([encoder.finish()]);
      if (reads.length > 0) {
        const refusal = this.#device.popErrorScope();
        refusal.then(error => { if (error !== null) this.#complain(error.message); }, () => {});
        for (const read of reads) this.#finishRead(read, refusal);
      }
    }
    const signals = this.#signals.splice(0);
    if (signals.length === 0) return;
    const tell = (ok, message) => signals.forEach(ticket => this.#answer({ kind: Answer.done, ticket, ok, message }));
    this.#device.queue.onSubmittedWorkDone().then(() => tell(true, ''), error => this.#unlessLost(() => tell(false, error.message)));
  }

  async #finishRead({ ticket, staging, bytes, address }, refusal) {
    const tell = (ok, message) => this.#answer({ kind: Answer.read, ticket, ok, message });
    try {
      const error = await refusal;
      if (this.#ended) return;
      if (error !== null) return tell(false, `the commands before the read are invalid: ${error.message}`);
      await this.#reads.fetch(staging, bytes, this.#memory, address, () => !this.#ended);
      this.#reads.give(staging);
      tell(true, '');
    } catch (error) {
      this.#unlessLost(() => tell(false, error.message));
    }
  }

  /** A loss refuses what is under way, and may be told after that; then it is the answer. */
  async #unlessLost(tell) {
    await Promise.race([this.#device.lost, new Promise(resolve => setTimeout(resolve, LOSS_MILLISECONDS))]);
    tell();
  }
}

const isOutOfMemory = error => error !== null && error.constructor.name === 'GPUOutOfMemoryError';
