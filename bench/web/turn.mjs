// One turn of one engine in a page that is its own: it loads the model, warms up, and is timed by the page's clock.

const LEAD = 2; // tokens before the first character: the beginning of text, and of a word
// None of these has a token in the random vocabulary, nor has any union of them, so each is one token, that of its byte.
const CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Gives texts of as many tokens as one wants, which no other turn asks for: nothing of them can be there already. */
function textsOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return CHARACTERS[Math.floor(state / 2 ** 32 * CHARACTERS.length)];
  };
  return tokens => Array.from({ length: tokens - LEAD }, next).join('');
}

/**
 * @param {Function} open one of `engines`
 * @param {{model: string, gpu: boolean, threads: number, context: number, seed: number,
 *   warm: {prefill: number, decode: number}, prefill: number, short: number, decode: number}} settings
 */
export async function runTurn(open, settings) {
  if (!crossOriginIsolated) throw new Error('the page is not cross-origin isolated, so there are no threads');
  const bytes = await (await fetch(settings.model)).blob();
  const begun = performance.now();
  const engine = await open(new File([bytes], 'model.gguf'), settings);
  const loadSeconds = (performance.now() - begun) / 1000;
  try {
    const prompt = textsOf(settings.seed);
    // Both engines compile on first use: the browser their modules, a GPU its kernels.
    await engine.complete(prompt(settings.warm.prefill), 1, () => {});
    await engine.complete(prompt(settings.short), settings.warm.decode, () => {});
    const prefill = await timed(engine, prompt(settings.prefill), 1);
    const decode = await timed(engine, prompt(settings.short), settings.decode + 1);
    return {
      // From the call until the first token has arrived and the answer has ended.
      prefill: settings.prefill / (prefill.total / 1000),
      // From the first token until the last.
      decode: settings.decode / ((decode.total - decode.first) / 1000),
      loadSeconds, counts: { prefill: prefill.counts, decode: decode.counts }, info: engine.info(),
    };
  } finally {
    await engine.close();
  }
}

async function timed(engine, prompt, tokens) {
  const begun = performance.now();
  let first;
  const counts = await engine.complete(prompt, tokens, () => { first ??= performance.now() - begun; });
  return { counts, first: first ?? 0, total: performance.now() - begun };
}
