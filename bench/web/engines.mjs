// The two packages, each through its public interface alone, behind one small interface:
//   open(file, {gpu, threads, context}) -> {complete(prompt, tokens, onToken), info(), close()}
// complete() computes a prompt (a text: wllama takes no token ids) and then `tokens` more, greedily and past ends of text,
// and resolves to what the package counted. onToken is called when something of the answer arrives.

// The same for both: of the samplers nothing but the best token.
const GREEDY = { temperature: 0, top_k: 1 };

const countsOf = ({ usage }) => ({
  prompt: usage.prompt_tokens,
  cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
  generated: usage.completion_tokens,
});

async function openWisp(file, { gpu, threads, context }) {
  const { Wisp } = await import('../../web/dist/index.js');
  const remarks = [];
  const wisp = await Wisp.load(file, {
    device: gpu ? 'gpu' : 'cpu', threads, context, keep: false, onRemark: remark => remarks.push(remark),
  });
  return {
    async complete(prompt, tokens, onToken) {
      const request = { prompt, max_tokens: tokens, ...GREEDY, ignore_end: true, stream: true, stream_options: { include_usage: true } };
      let counts;
      for await (const chunk of await wisp.completions.create(request)) {
        if (chunk.usage) counts = countsOf(chunk);
        else onToken();
      }
      return counts;
    },
    info() {
      const { device, executor, variant, threads: used, context: tokens, kv } = wisp.info();
      return { device, threads: used, text: `${executor}, module ${variant}, context ${tokens}, kv ${kv}`, remarks };
    },
    close: () => wisp.dispose(),
  };
}

async function openWllama(file, { gpu, threads, context }) {
  const { Wllama } = await import('./node_modules/@wllama/wllama/esm/index.js');
  // Whether its layers went to the GPU is told in its log alone.
  const log = [];
  const take = (...words) => log.push(words.join(' '));
  const wllama = new Wllama({ default: new URL('./node_modules/@wllama/wllama/esm/wasm/wllama.wasm', import.meta.url).href },
                            { logger: { debug: take, log: take, warn: take, error: take } });
  wllama.setCompat(null); // nothing is fetched from elsewhere
  const told = error => { throw new Error(`${error.message}; its log ends with:\n${log.slice(-8).join('')}`); };
  await wllama.loadModel([file], { n_threads: threads, n_ctx: context, ...(!gpu && { n_gpu_layers: 0 }) }).catch(told);
  const [, offloaded = '0', layers = '0'] = /offloaded (\d+)\/(\d+) layers to GPU/.exec(log.join('\n')) ?? [];
  return {
    async complete(prompt, tokens, onToken) {
      const request = { prompt, max_tokens: tokens, ...GREEDY, ignore_eos: true, cache_prompt: false, stream: true, stream_options: { include_usage: true } };
      let counts;
      try {
        for await (const chunk of await wllama.createCompletion(request)) {
          if (chunk.usage) counts = { ...countsOf(chunk), own: chunk.timings };
          else onToken();
        }
      } catch (error) {
        told(error);
      }
      return counts;
    },
    info() {
      const { n_ctx: tokens, n_batch: batch, n_ubatch: rows } = wllama.getLoadedContextInfo();
      return {
        device: offloaded !== '0' && offloaded === layers ? 'gpu' : 'cpu',
        threads: wllama.isMultithread() ? wllama.getNumThreads() : 1,
        text: `${Wllama.getLibllamaVersion()}, ${offloaded} of ${layers} layers on the GPU, context ${tokens}, batch ${batch}, ${rows} rows a step`,
        log: log.filter(line => /webgpu|adapter|f16/i.test(line)),
      };
    },
    close: () => wllama.exit(),
  };
}

export const engines = { wisp: openWisp, wllama: openWllama };
