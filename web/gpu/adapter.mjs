// Asks for a device with everything that the kernels can use, and says what it is.
import { compile } from './compile.mjs';

/**
 * DeviceInfo of engine/gpu/device/device.h.
 * @typedef {object} DeviceInfo
 * @property {string} name
 * @property {string} vendor
 * @property {string} driver
 * @property {string} backend
 * @property {'unknown' | 'discrete' | 'integrated' | 'software'} type
 * @property {'tint' | 'naga'} dialect
 * @property {{f16: boolean, subgroups: boolean, timestamps: boolean, packedDot: boolean, subgroupMatrix: boolean}} features
 * @property {Record<string, number>} limits by WebGPU's names
 * @property {number} subgroupMin
 * @property {number} subgroupMax
 * @property {[number, number, number]} matrixUnit m, n and k of its matrices of f16 with sums of f32; zeros where there are none
 */

/**
 * Lowered limits and features to do without, for tests.
 * @typedef {object} DeviceOptions
 * @property {GPUPowerPreference} [powerPreference]
 * @property {string[]} [without] of DeviceInfo.features
 * @property {Record<string, number>} [limits] by WebGPU's names; more than the adapter has changes nothing
 */

const FEATURES = {
  f16: 'shader-f16',
  subgroups: 'subgroups',
  timestamps: 'timestamp-query',
  subgroupMatrix: 'chromium-experimental-subgroup-matrix',
};
const LIMITS = [
  'maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage', 'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX', 'maxComputeWorkgroupSizeY', 'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension', 'minStorageBufferOffsetAlignment', 'minUniformBufferOffsetAlignment',
];

/**
 * @param {GPU | undefined} gpu navigator.gpu, or another implementation
 * @param {DeviceOptions} [options]
 * @returns {Promise<{device: GPUDevice, info: DeviceInfo}>} rejects with a sentence where there is none
 */
export async function openDevice(gpu, { powerPreference = 'high-performance', without = [], limits = {} } = {}) {
  if (!gpu) throw new Error('there is no WebGPU here');
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) throw new Error('WebGPU is here, but no adapter: the driver is missing or refused');

  const granted = Object.keys(FEATURES).filter(name => adapter.features.has(FEATURES[name]) && !without.includes(name));
  const lowered = name => Math.min(adapter.limits[name], limits[name] ?? Infinity);
  const device = await adapter.requestDevice({
    label: 'wisp',
    requiredFeatures: granted.map(name => FEATURES[name]),
    requiredLimits: Object.fromEntries(LIMITS.map(name => [name, name.startsWith('max') ? lowered(name) : adapter.limits[name]])),
  });
  const features = Object.fromEntries(Object.keys(FEATURES).map(name => [name, granted.includes(name)]));
  features.packedDot = Boolean(gpu.wgslLanguageFeatures?.has('packed_4x8_integer_dot_product')) && !without.includes('packedDot');
  return {
    device,
    info: {
      ...namesOf(adapter.info),
      dialect: await dialectOf(device, features.subgroups),
      features,
      // What was asked for: WebGPU grants no less than its defaults.
      limits: Object.fromEntries(LIMITS.map(name => [name, lowered(name)])),
      subgroupMin: features.subgroups ? adapter.info.subgroupMinSize ?? 0 : 0,
      subgroupMax: features.subgroups ? adapter.info.subgroupMaxSize ?? 0 : 0,
      matrixUnit: features.subgroupMatrix ? matrixUnitOf(adapter.info) : [0, 0, 0],
    },
  };
}

// The largest that multiplies f16 with sums of f32, and that a square of 32 is made of.
function matrixUnitOf({ subgroupMatrixConfigs = [] }) {
  const sizes = [...subgroupMatrixConfigs]
    .filter(({ componentType, resultComponentType }) => componentType === 'f16' && resultComponentType === 'f32')
    .map(({ M, N, K }) => [M, N, K])
    .filter(sizes => sizes.every(size => size >= 8 && 32 % size === 0));
  return sizes.sort((a, b) => b[0] * b[1] * b[2] - a[0] * a[1] * a[2])[0] ?? [0, 0, 0];
}

// Pages are told little, lest they recognise their user.
function namesOf({ vendor = '', architecture = '', device = '', description = '', isFallbackAdapter = false, type, backend }) {
  const types = { 'discrete GPU': 'discrete', 'integrated GPU': 'integrated', CPU: 'software' };
  return {
    name: device || architecture || description || vendor || 'a GPU without a name',
    vendor,
    driver: [architecture, description].filter(Boolean).join(' '),
    backend: backend || 'webgpu',
    type: isFallbackAdapter ? 'software' : types[type] ?? 'unknown',
  };
}

// The compilers disagree on directives, and no page is told which one it has. Tint demands `enable subgroups;`, naga
// refuses it. Without subgroups: only Tint proves that barriers are reached by all invocations or none.
async function dialectOf(device, subgroups) {
  const probe = async (code, label) => (await compile(device, { code, label, layouts: [] })).pipeline !== null;
  if (subgroups) {
    return (await probe('enable subgroups; @compute @workgroup_size(1) fn main() {}', 'wisp dialect')) ? 'tint' : 'naga';
  }
  const divergent = '@compute @workgroup_size(2) fn main(@builtin(local_invocation_index) i: u32) { if (i == 0u) { workgroupBarrier(); } }';
  return (await probe(divergent, 'wisp dialect')) ? 'naga' : 'tint';
}
