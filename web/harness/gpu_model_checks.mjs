// A model on the page's GPU: the text that the CPU makes, also when the device is lost in the middle of it. A small model
// and short steps: software drivers take a second to compile a kernel.
import { expect } from './expect.mjs';
import { NO_DATA } from './golden_checks.mjs';
import { forgetTexts, loadTexts, saveTexts } from './texts.mjs';
import { Model } from './model.mjs';

const MODEL = 'real/stories260K-q8_0.gguf';
const STORY = 'Once upon a time';
const NEW_TOKENS = 16;
const LOST_AFTER = 6; // tokens
const OPTIONS = { context: 256, kv: 'f32', chunk: 4 };

async function tell({ host, variant }, options, onstep = () => {}) {
  const model = await Model.open(host, variant, await host.readData(MODEL), { ...OPTIONS, ...options });
  try {
    const made = await model.generate(model.tokenize(STORY, { special: true }), NEW_TOKENS, {
      ignoreEnd: true,
      onstep: tokens => onstep(model, tokens),
    });
    return { ...made, devices: model.devices ?? 0, known: model.knownKernels(), texts: model.takeTexts() };
  } finally {
    model.close();
  }
}

// Before and after the loss, on one machine the same arithmetic: every token is the same. A second visit knows the kernels
// of the first.
export async function checkStoryOnTheGpu(where) {
  if (!where.host.hasData) return NO_DATA;
  const expected = await tell(where, {});
  expect(expected.ids.length === NEW_TOKENS, `${expected.ids.length} tokens on the CPU`);
  let lost = false;
  await forgetTexts();
  const first = await tell(where, { gpu: true }, (model, tokens) => {
    if (lost || tokens < LOST_AFTER) return;
    lost = true;
    model.module.gpu.loseAll();
  });
  expect(first.devices === 2, `${first.devices} devices were opened`);
  expect(first.text === expected.text, `'${first.text}' on the GPU with a loss, '${expected.text}' on the CPU`);
  // The device after the loss knew what the one before it had needed.
  expect([...first.texts.keys()].some(name => name.startsWith('kernels-')), `kept: ${[...first.texts.keys()]}`);

  await saveTexts(first.texts);
  const kept = globalThis.indexedDB === undefined ? first.texts : await loadTexts();
  expect(kept.size === first.texts.size, `${kept.size} of ${first.texts.size} texts were kept`);
  const second = await tell(where, { gpu: true, texts: kept });
  expect(second.known > 10 && second.text === expected.text, `${second.known} kernels were known; '${second.text}'`);
  expect(second.texts.size === 0, `the second visit wrote ${[...second.texts.keys()]}`);
  const times = [first, second].map(({ promptMilliseconds }) => promptMilliseconds.toFixed(0));
  console.log(`${where.host.name}, gpu-${where.variant}: first token after ${times[0]} ms, compiling included; ${times[1]} ms at the second visit`);
  return '';
}
