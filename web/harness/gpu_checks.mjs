// What is checked of the GPU in every host that has WebGPU; results as in checks.mjs. `host.gpu` is navigator.gpu or
// another implementation of it.
import { openDevice } from '../gpu/adapter.mjs';
import { Opcode } from '../gpu/commands.mjs';
import { expect } from './expect.mjs';
import { checkStoryOnTheGpu } from './gpu_model_checks.mjs';
import { hasSharedMemory } from '../wasm/instance.mjs';
import { openModule } from './module.mjs';

const STATES = ['waiting', 'passed', 'skipped', 'failed'];
const MASKED = ['f16', 'subgroups', 'timestamps', 'packedDot', 'subgroupMatrix'];
const SECONDS = 60;

function cString(memory, at) {
  const bytes = new Uint8Array(memory.buffer, at >>> 0);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
}

// The checks of tests/gpu_device_checks.cpp, each on a device of its own.
async function deviceChecks(host, variant) {
  const module = await openModule(host, 'wisp-checks', variant);
  const { exports, memory, gpu } = module;
  return Array.from({ length: exports.check_gpu_count() }, (_, index) => ({
    name: cString(memory, exports.check_gpu_name(index)),
    async run() {
      const binding = exports.check_gpu_binding_bytes(index);
      const { pointer } = await gpu.open(host.gpu, {
        limits: binding === 0 ? {} : { maxStorageBufferBindingSize: binding },
        without: exports.check_gpu_without_features(index) ? MASKED : [],
      });
      const check = exports.check_gpu_start(index, pointer);
      try {
        const deadline = performance.now() + 1000 * SECONDS;
        let state = 'waiting';
        while ((state = STATES[exports.check_gpu_poll(check)]) === 'waiting') {
          expect(performance.now() < deadline, `no end after ${SECONDS} s`);
          await new Promise(resolve => setTimeout(resolve, 1));
        }
        const reason = cString(memory, exports.check_gpu_reason(check));
        expect(state !== 'failed', reason);
        return reason;
      } finally {
        exports.check_gpu_end(check);
      }
    },
  }));
}

// The page's compiler reads the text of every kernel, generated for this device; software drivers are too slow to make
// pipelines of all. `needs`: what some text has to contain.
async function checkKernelTexts(host, variant, without, needs = '') {
  const { exports, memory, gpu } = await openModule(host, 'wisp-checks', variant);
  const { pointer } = await gpu.open(host.gpu, { without });
  const kernels = exports.check_kernels_make(pointer);
  expect(kernels !== 0, 'the kernels could not be made');
  const { device } = await openDevice(host.gpu, { without });
  const count = exports.check_kernels_count(kernels);
  expect(count > 100, `there are ${count} kernels`);
  let found = needs === '';
  for (let index = 0; index < count; ++index) {
    const label = cString(memory, exports.check_kernel_label(kernels, index));
    const code = cString(memory, exports.check_kernel_text(kernels, index));
    found ||= code.includes(needs);
    const module = device.createShaderModule({ code, label });
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter(({ type }) => type === 'error').map(({ message, lineNum }) => `line ${lineNum}: ${message}`);
    expect(errors.length === 0, `${label}: ${errors.join('; ')}`);
  }
  expect(found, `no kernel uses ${needs}`);
  exports.check_kernels_end(kernels);
  device.destroy();
}

// The stream's numbers here and in commands.h are the same.
async function checkOpcodes(host) {
  const header = new TextDecoder().decode(await host.read('engine/gpu/device/commands.h'));
  const body = header.match(/enum class Opcode[^{]*\{(.*?)\};/s)[1];
  const names = [...body.matchAll(/^ {2}(\w+)/gm)].map(match => match[1].replace(/_(\w)/g, (_, letter) => letter.toUpperCase()));
  expect(names.length > 20 && names.join() === Object.keys(Opcode).join(), `the header has ${names}`);
  expect(names.every((name, index) => Opcode[name] === index + 1), 'an opcode has another number');
}

async function checkNoGpuIsTold() {
  for (const gpu of [undefined, { requestAdapter: async () => null }]) {
    const error = await openDevice(gpu).then(() => null, reason => reason);
    expect(error?.message.length > 15, `without an adapter: ${error}`);
  }
}

/** @returns the results, as runChecks() of checks.mjs gives them */
export async function runGpuChecks(host) {
  const results = [];
  const record = async (suite, name, run) => {
    const result = { suite, name, status: 'passed', reason: '', seconds: 0 };
    const start = performance.now();
    try {
      const skip = await run();
      if (skip) Object.assign(result, { status: 'skipped', reason: skip });
    } catch (error) {
      Object.assign(result, { status: 'failed', reason: `${error}\n${error.stack ?? ''}` });
    }
    result.seconds = (performance.now() - start) / 1000;
    results.push(result);
  };
  await record('gpu', 'Opcodes', () => checkOpcodes(host));
  await record('gpu', 'NoGpuIsTold', checkNoGpuIsTold);

  const { device, info } = await openDevice(host.gpu).catch(error => ({ info: error.message }));
  device?.destroy();
  console.log(`${host.name}: ${JSON.stringify(info)}`);
  for (const variant of ['simd', 'single']) {
    const suite = `gpu-${variant}`;
    if (device === undefined) await record(suite, 'Device', () => info);
    else if (variant !== 'single' && !hasSharedMemory()) await record(suite, 'Device', () => 'memory is not shared here');
    else {
      for (const { name, run } of await deviceChecks(host, variant)) await record(suite, name, run);
      if (variant === 'simd') {
        await record(suite, 'KernelTexts', () => checkKernelTexts(host, variant, []));
        await record(suite, 'KernelTextsWithoutFeatures', () => checkKernelTexts(host, variant, MASKED));
        await record(suite, 'KernelTextsWithEveryFeature', () =>
          host.everyFeature === undefined
            ? 'no device here has matrix units'
            : checkKernelTexts({ ...host, gpu: host.everyFeature }, variant, [], 'subgroupMatrixMultiplyAccumulate'));
      }
      if (variant === 'simd') await record(suite, 'Story', () => checkStoryOnTheGpu({ host, variant }));
    }
  }
  return results;
}
