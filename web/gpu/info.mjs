// A DeviceInfo as the words that read_device_info() of engine/gpu/js/js_device.h takes.

const DIALECTS = ['tint', 'naga'];
const TYPES = ['unknown', 'discrete', 'integrated', 'software'];
const FEATURES = ['f16', 'subgroups', 'timestamps', 'packedDot', 'subgroupMatrix'];

/**
 * @param {import('./adapter.mjs').DeviceInfo} info
 * @returns {{words: Uint32Array, names: Uint8Array}}
 */
export function packInfo(info) {
  const { name, vendor, driver, backend, type, dialect, features, limits, subgroupMin, subgroupMax, matrixUnit } = info;
  const two = value => [value % 2 ** 32, Math.floor(value / 2 ** 32)];
  const line = text => text.replaceAll('\n', ' ');
  return {
    words: Uint32Array.of(
      DIALECTS.indexOf(dialect),
      TYPES.indexOf(type),
      FEATURES.reduce((bits, feature, bit) => bits | (features[feature] ? 1 << bit : 0), 0),
      subgroupMin,
      subgroupMax,
      ...matrixUnit,
      ...two(limits.maxBufferSize),
      ...two(limits.maxStorageBufferBindingSize),
      limits.maxStorageBuffersPerShaderStage,
      limits.maxComputeWorkgroupStorageSize,
      limits.maxComputeInvocationsPerWorkgroup,
      limits.maxComputeWorkgroupSizeX,
      limits.maxComputeWorkgroupSizeY,
      limits.maxComputeWorkgroupSizeZ,
      limits.maxComputeWorkgroupsPerDimension,
      limits.minStorageBufferOffsetAlignment,
      limits.minUniformBufferOffsetAlignment,
    ),
    names: new TextEncoder().encode([name, vendor, driver, backend].map(line).join('\n')),
  };
}
