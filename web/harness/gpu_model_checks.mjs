// The shipped model on the page's GPU: the text that the CPU makes, also when the device is lost in the middle of it.
import { expect } from './expect.mjs';
import { Model } from './model.mjs';

const SHIPPED = 'models/wisp-stories.gguf';
const STORY = 'Once upon a time';
const NEW_TOKENS = 24;
const LOST_AFTER = 8; // tokens

async function tell({ host, variant }, options, onstep = () => {}) {
  const model = await Model.open(host, variant, await host.read(SHIPPED), { context: 256, kv: 'f32', ...options });
  try {
    const made = await model.generate(model.tokenize(STORY, { special: true }), NEW_TOKENS, {
      ignoreEnd: true,
      onstep: tokens => onstep(model, tokens),
    });
    return { ...made, devices: model.devices ?? 0 };
  } finally {
    model.close();
  }
}

export async function checkGpuTellsTheSameStory(where) {
  const cpu = await tell(where, {});
  const gpu = await tell(where, { gpu: true });
  expect(cpu.ids.length === NEW_TOKENS, `${cpu.ids.length} tokens on the CPU`);
  expect(gpu.text === cpu.text, `'${gpu.text}' on the GPU, '${cpu.text}' on the CPU`);
  console.log(`${where.host.name}, gpu-${where.variant}: first token after ${gpu.promptMilliseconds.toFixed(0)} ms, compiling ` +
    `included, then ${((1000 * (NEW_TOKENS - 1)) / gpu.decodeMilliseconds).toFixed(0)} t/s`);
}

export async function checkLostDeviceIsReplaced(where) {
  const expected = await tell(where, {});
  let lost = false;
  const { text, devices } = await tell(where, { gpu: true }, (model, tokens) => {
    if (lost || tokens < LOST_AFTER) return;
    lost = true;
    model.module.gpu.loseAll();
  });
  expect(devices === 2, `${devices} devices were opened`);
  expect(text === expected.text, `'${text}' after the loss, '${expected.text}' without`);
}
