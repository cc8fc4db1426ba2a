// A GPU that is lost, and what is remembered of one.
import { expect, expectEqual, expectError, Tab } from './tab.js';
import type { Story } from './network.js';

/** "-slowly": threads, which the CPU wants and a GPU does not, come late. So long it takes over at least, in ms. */
export const TAKES_OVER_FOR = 1500;

export const gpuStories: Record<string, Story> = {
  async 'a second visit knows the device: kernels from the cache, and ready sooner'({ browser, browserName, server, bytes }) {
    server.files.set('/visits.gguf', bytes);
    const source = `${server.url}/visits.gguf`;
    const visit = async (device: string): Promise<{ knownKernels: number; milliseconds: number }> => {
      const tab = await Tab.open(browser, server.url);
      const begun = performance.now();
      const { info } = await tab.load({ source, device });
      await tab.chat({ max_tokens: 1 });
      const milliseconds = performance.now() - begun;
      await tab.call('dispose');
      await tab.close();
      return { knownKernels: info.knownKernels, milliseconds };
    };
    await visit('cpu'); // the model's bytes are here from now on
    const [first, second] = [await visit('gpu'), await visit('gpu')];
    console.error(`  from bytes to the first token: ${[first, second].map(({ milliseconds }) => `${Math.round(milliseconds)} ms`).join(', ')}`);
    expect(second.knownKernels > first.knownKernels, `${second.knownKernels} kernels were known, at first ${first.knownKernels}`);
    // SwiftShader, which is Chromium's here, compiles at the first use of a kernel and remembers nothing.
    if (browserName === 'chromium') return;
    expect(second.milliseconds < first.milliseconds, `${second.milliseconds} ms, at first ${first.milliseconds}`);
  },

  async 'a device that is lost in the middle of an answer comes back, and the answer goes on'({ browser, server }) {
    const tab = await Tab.open(browser, server.url);
    await tab.load({ device: 'gpu' });
    const whole = await tab.chat({ max_tokens: 20 });
    await tab.call('stream', { max_tokens: 20, pieces: 5 });
    await tab.call('loseDevice');
    const { text, error } = await tab.call<{ text: string; error?: unknown }>('ended');
    expectEqual(error, undefined, 'the error');
    expectEqual(text, whole, 'the text');
    const { device_losses: losses } = await tab.call<Record<string, number>>('counters');
    expectEqual(losses, 1, 'losses');
    expectEqual((await tab.call<{ device: string }>('info')).device, 'gpu', 'the device');
    await tab.close();
  },

  async 'a device that does not open after the probe leaves the model to the CPU, with a remark'({ browser, server, answer }) {
    const tab = await Tab.open(browser, server.url, '?package=/web/devices-1/index.js');
    const { info, remarks } = await tab.load({ device: 'auto' });
    expectEqual(info.device, 'cpu', 'the device');
    expect(remarks.some(remark => remark.startsWith('not on the GPU') && remark.includes('planted')), remarks.join('; '));
    expectEqual(await tab.chat(), answer, 'the answer');
    // Named, it is not replaced.
    expectError(await tab.outcome('load', { name: 'b', device: 'gpu' }), 'device');
    await tab.close();
  },

  async 'a device that does not come back leaves the answer to the CPU, and says so'({ browser, server }) {
    const tab = await Tab.open(browser, server.url, '?package=/web/devices-2/index.js');
    const { info } = await tab.load({ device: 'auto' });
    expectEqual(info.device, 'gpu', 'the device');
    const whole = await tab.chat({ max_tokens: 20 });
    await tab.call('stream', { max_tokens: 20, pieces: 5 });
    await tab.call('loseDevice');
    // A request that comes meanwhile waits, and so do questions.
    const meanwhile = tab.chat({ max_tokens: 4 });
    expect((await tab.call<{ module: number }>('memory')).module > 0, 'memory');
    const { text, error } = await tab.call<{ text: string; error?: unknown }>('ended');
    expectEqual(error, undefined, 'the error');
    expectEqual(text, whole, 'the text');
    expect(whole.startsWith(await meanwhile), 'the request that came meanwhile');
    expectEqual((await tab.call<{ device: string }>('info')).device, 'cpu', 'the device after the loss');
    const heard = await tab.call<string[]>('remarks');
    expect(heard.some(remark => remark.includes('the GPU was lost, and the CPU goes on')), heard.join('; '));
    await tab.close();
  },

  async 'an answer that is left while the CPU takes over does not go on there'({ browser, server }) {
    const tab = await Tab.open(browser, server.url, '?package=/web/devices-2-slowly/index.js');
    await tab.load({ device: 'auto' });
    await tab.call('stream', { max_tokens: 200, ignore_end: true, pieces: 5 });
    await tab.call('loseDevice');
    const { running, waiting } = await tab.call<Record<string, number>>('leave', { wait: TAKES_OVER_FOR / 2 }); // no step takes that long
    expectEqual([running, waiting], [0, 0], 'answers that go on');
    expectEqual((await tab.call<{ device: string }>('info')).device, 'cpu', 'the device after the loss');
    await tab.close();
  },

  async 'an answer of a form goes on so, too'({ browser, server }) {
    const tab = await Tab.open(browser, server.url, '?package=/web/devices-2/index.js');
    await tab.load({ device: 'auto' });
    const schema = { type: 'array', items: { type: 'string', pattern: '^[a-z]{3,9}$' }, minItems: 6, maxItems: 6 };
    const request = { max_tokens: 200, response_format: { type: 'json_schema', json_schema: { name: 'words', schema } } };
    const whole = await tab.chat(request);
    expectEqual((JSON.parse(whole) as string[]).length, 6, 'words');
    await tab.call('stream', { ...request, pieces: 5 });
    await tab.call('loseDevice');
    const { text, error } = await tab.call<{ text: string; error?: unknown }>('ended');
    expectEqual(error, undefined, 'the error');
    expectEqual(text, whole, 'the text');
    expectEqual((await tab.call<{ device: string }>('info')).device, 'cpu', 'the device after the loss');
    await tab.close();
  },

  async 'without the GPU a model that takes any device runs on the CPU, and says why'({ browser, server, answer }) {
    const tab = await Tab.open(browser, server.url);
    const { info } = await tab.load({ device: 'auto' });
    // The adapter of the tests is a program.
    expectEqual(info.device, 'cpu', 'the device');
    expect(info.remarks.some(remark => remark.startsWith('not on the GPU')), info.remarks.join('; '));
    expectEqual(await tab.chat(), answer, 'the answer');
    await tab.close();
  },
};
