// Whether a GPU computes at all, and right: drivers exist on which a device opens and every answer is wrong. The engine
// checks its own kernels too; this costs a few milliseconds and comes before a model is fetched.

const COUNT = 256;
const SHADER = `
@group(0) @binding(0) var<storage, read_write> values: array<u32>;
var<workgroup> shared_values: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  shared_values[lane] = values[id.x];
  workgroupBarrier();
  let other = shared_values[63u - lane];
  values[id.x] = u32(fma(f32(other), 2.0, 1.0)) ^ (id.x * 2654435761u);
}`;

/** Resolves where the answers are right; rejects with a sentence otherwise. The device is closed again. */
export async function probeGpu(gpu: GPU): Promise<void> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU is here, but no adapter: the driver is missing or refused');
  const device = await adapter.requestDevice({ label: 'wisp probe' });
  try {
    const size = 4 * COUNT;
    const values = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const given = Uint32Array.from({ length: COUNT }, (_, index) => 7 * index + 3);
    device.queue.writeBuffer(values, 0, given);
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: SHADER }), entryPoint: 'main' },
    });
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: values } }] });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(COUNT / 64);
    pass.end();
    encoder.copyBufferToBuffer(values, 0, read, 0, size);
    device.queue.submit([encoder.finish()]);
    await Promise.race([read.mapAsync(GPUMapMode.READ), lostDevice(device)]);
    const got = new Uint32Array(read.getMappedRange());
    for (let i = 0; i < COUNT; ++i) {
      const other = given[(i & ~63) + 63 - (i & 63)] ?? 0;
      const expected = (2 * other + 1 ^ Math.imul(i, 2654435761)) >>> 0;
      if (got[i] !== expected) throw new Error(`the GPU computes wrong: value ${i} is ${got[i]} and should be ${expected}`);
    }
  } finally {
    device.destroy();
  }
}

async function lostDevice(device: GPUDevice): Promise<never> {
  const { message } = await device.lost;
  throw new Error(`the GPU was lost at once: ${message}`);
}

/** The adapter is a program: slower than the CPU itself. */
export async function isSoftware(gpu: GPU): Promise<boolean> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const info = adapter?.info as (GPUAdapterInfo & { type?: string }) | undefined;
  if (!info) return false;
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return info.isFallbackAdapter === true || info.type === 'CPU' || /swiftshader|llvmpipe|lavapipe|basic render/.test(words);
}

const LARGEST_PIECE = 2 ** 30;
const SMALLEST_PIECE = 2 ** 26;

/**
 * How many bytes of buffers the GPU gives now, up to `bytes`. Buffers are made and destroyed again; on devices that promise
 * more than they have, the engine finds out when it loads. Within 64 MiB.
 */
export async function gpuGives(gpu: GPU, bytes: number): Promise<number> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return 0;
  let piece = Math.min(adapter.limits.maxBufferSize, LARGEST_PIECE);
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize: piece } });
  const buffers: GPUBuffer[] = [];
  let given = 0;
  try {
    while (given < bytes) {
      const size = Math.ceil(Math.min(piece, bytes - given) / 4) * 4;
      const buffer = await tryBuffer(device, size);
      if (buffer) {
        buffers.push(buffer);
        given += size;
      } else if (piece > SMALLEST_PIECE) {
        piece /= 2;
      } else {
        break;
      }
    }
    return given;
  } finally {
    for (const buffer of buffers) buffer.destroy();
    device.destroy();
  }
}

async function tryBuffer(device: GPUDevice, size: number): Promise<GPUBuffer | undefined> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  try {
    const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
    const failures = [await device.popErrorScope(), await device.popErrorScope()];
    return failures.every(failure => failure === null) ? buffer : undefined;
  } catch {
    return undefined; // some browsers throw, or have lost the device by it
  }
}
