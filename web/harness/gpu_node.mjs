// The checks of the GPU under Node, whose WebGPU is npm's `webgpu` (Dawn): node web/harness/gpu_node.mjs [--report FILE.xml]
// VK_DRIVER_FILES chooses the driver.
import { create, globals } from 'webgpu';
import { runGpuChecks } from './gpu_checks.mjs';
import { host } from './host.node.mjs';
import { finish } from './report.mjs';

Object.assign(globalThis, globals);
finish(await runGpuChecks({ ...host, gpu: create([]) }));
