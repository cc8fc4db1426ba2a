// A compute pipeline from WGSL, with the compiler's own words where there is none.

/**
 * @param {GPUDevice} device
 * @param {{code: string, label: string, layouts: GPUBindGroupLayout[]}} text entry point `main`
 * @returns {Promise<{pipeline: GPUComputePipeline | null, message: string}>} never rejects
 */
export async function compile(device, { code, label, layouts }) {
  // A module that does not compile is an error of its own beside the pipeline's; the scope keeps it from the page.
  device.pushErrorScope('validation');
  let module;
  let compiled;
  let scope;
  try {
    module = device.createShaderModule({ label, code });
    const layout = device.createPipelineLayout({ label, bindGroupLayouts: layouts });
    compiled = device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: 'main' } });
  } catch (error) {
    compiled = Promise.reject(error);
  } finally {
    scope = device.popErrorScope().catch(() => null);
  }
  try {
    return { pipeline: await compiled, message: '' };
  } catch (error) {
    return { pipeline: null, message: `${label}: ${await reason(module, error, await scope)}` };
  }
}

async function reason(module, error, scoped) {
  const told = await module?.getCompilationInfo().catch(() => null);
  const errors = (told?.messages ?? []).filter(({ type }) => type === 'error')
    .map(({ lineNum, linePos, message }) => `${lineNum}:${linePos}: ${message}`);
  return errors.length > 0 ? errors.join('\n') : [scoped?.message, error.message].filter(Boolean).join('\n');
}
