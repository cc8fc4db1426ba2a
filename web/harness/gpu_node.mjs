// The checks of the GPU under Node, whose WebGPU is npm's `webgpu` (Dawn): node web/harness/gpu_node.mjs [--report FILE.xml]
// VK_DRIVER_FILES chooses the driver.
import { create, globals } from 'webgpu';
import { runGpuChecks } from './gpu_checks.mjs';
import { host } from './host.node.mjs';
import { finish } from './report.mjs';

Object.assign(globalThis, globals);

// A device that computes nothing and has every feature: Tint reads for it what no driver here could run. It leaves open
// how large subgroups are and what matrix units multiply, and its limits are the least; these are an NVIDIA GPU's.
function everyFeature() {
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const matrixUnit = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 };
  const larger = { maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 };
  const info = { vendor: 'dawn', description: 'a device with every feature', subgroupMinSize: 32, subgroupMaxSize: 32 };
  return {
    wgslLanguageFeatures: gpu.wgslLanguageFeatures,
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      return {
        features: adapter.features,
        limits: new Proxy(larger, { get: (_, name) => larger[name] ?? adapter.limits[name] }),
        info: { ...info, subgroupMatrixConfigs: [matrixUnit] },
        requestDevice: ({ requiredFeatures }) => adapter.requestDevice({ requiredFeatures }),
      };
    },
  };
}

finish(await runGpuChecks({ ...host, gpu: create([]), everyFeature: everyFeature() }));
