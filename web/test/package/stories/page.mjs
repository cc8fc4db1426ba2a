// The page's side of the stories: commands that a test gives to a tab, by name. What fails is told as {code, message}.
// `?package=` names another build of the package.
const { Wisp } = await import(new URLSearchParams(location.search).get('package') ?? '/web/dist/index.js');

const models = new Map(); // Wisp by name
const remarks = new Map(); // all that were heard, by name
const streams = new Map(); // {text, pieces, ended} by name

const QUESTION = { messages: [{ role: 'user', content: 'Tell me a story about a dog.' }], temperature: 0, seed: 1 };

const told = error => ({ code: error.name === 'AbortError' ? 'AbortError' : (error.code ?? error.name), message: error.message });
const modelBytes = async () => new Uint8Array(await (await fetch('/models/wisp-stories.gguf')).arrayBuffer());
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

const commands = {
  /** `source` is left out for bytes of the shipped model; `abortAt`: the share of the bytes at which the caller gives up. */
  async load({ name = 'a', source, abortAt, ...options }) {
    const controller = new AbortController();
    const told = { phases: [], remarks: [], fromCache: 0, received: 0 };
    window.fetching = undefined;
    const wisp = await Wisp.load(source ?? await modelBytes(), {
      context: 256, maxSequences: 2, ...options, signal: controller.signal,
      onProgress(progress) {
        if (!told.phases.includes(progress.phase)) told.phases.push(progress.phase);
        if (progress.phase !== 'fetching') return;
        window.fetching = progress;
        window.dispatchEvent(new Event('fetching'));
        told.fromCache = progress.fromCache;
        told.received = progress.loaded - progress.fromCache;
        if (progress.loaded > abortAt * progress.total) controller.abort();
      },
      onRemark: remark => told.remarks.push(remark),
    });
    models.set(name, wisp);
    remarks.set(name, told.remarks);
    return { ...told, info: wisp.info() };
  },
  /** Resolves with the progress of a load once `share` of the bytes are here. */
  async fetched({ share }) {
    // By events: a browser may let timers of a page wait for a second, in which more comes than is wanted.
    while (!(window.fetching?.loaded >= share * window.fetching?.total)) {
      await new Promise(resolve => window.addEventListener('fetching', resolve, { once: true }));
    }
    return window.fetching;
  },
  async chat({ name = 'a', ...request }) {
    const { choices } = await models.get(name).chat.completions.create({ ...QUESTION, max_tokens: 16, ...request });
    return choices[0].message.content;
  },
  /** Begins an answer and resolves when `pieces` of it have come. */
  async stream({ name = 'a', pieces, ...request }) {
    const stream = { text: '', pieces: 0 };
    streams.set(name, stream);
    let enough;
    const begun = new Promise(resolve => {
      enough = resolve;
    });
    stream.ended = (async () => {
      try {
        const answer = await models.get(name).chat.completions.create({ ...QUESTION, ...request, stream: true });
        stream.controller = answer.controller;
        for await (const { choices } of answer) {
          const text = choices[0]?.delta.content;
          if (!text) continue;
          stream.text += text;
          if (++stream.pieces === pieces) enough();
        }
      } catch (error) {
        return { text: stream.text, error: told(error) };
      } finally {
        enough();
      }
      return { text: stream.text };
    })();
    await begun;
    return stream.text;
  },
  /** Ends an answer that was begun once questions wait, as they do while a model recovers; gives the counters behind that. */
  async leave({ name = 'a', wait }) {
    while (await Promise.race([models.get(name).counters().then(() => true), sleep(wait)]));
    streams.get(name).controller.abort();
    return models.get(name).counters();
  },
  /** The whole text of an answer that was begun, and how it failed. */
  async ended({ name = 'a' } = {}) {
    return streams.get(name).ended;
  },
  /** For what is planted. */
  signal() {
    const channel = new BroadcastChannel('story');
    channel.postMessage('now');
    channel.close();
  },
  loseDevice: ({ name = 'a' } = {}) => models.get(name).loseDevice(),
  counters: ({ name = 'a' } = {}) => models.get(name).counters(),
  memory: ({ name = 'a' } = {}) => models.get(name).memory(),
  info: ({ name = 'a' } = {}) => models.get(name).info(),
  remarks: ({ name = 'a' } = {}) => remarks.get(name),
  async use({ name = 'a', source, ...options }) {
    return models.get(name).use(source ?? await modelBytes(), options);
  },
  /** Two uses begun in one go; how each ended. */
  async useTwice({ name = 'a' } = {}) {
    const bytes = await modelBytes();
    const uses = [1, 2].map(() => models.get(name).use(bytes.slice(), {}));
    return (await Promise.allSettled(uses)).map(({ reason }) => (reason ? { error: told(reason) } : {}));
  },
  restart: ({ name = 'a' } = {}) => models.get(name).restart(),
  async dispose({ name = 'a' } = {}) {
    await models.get(name).dispose();
    models.delete(name);
  },
  /** Loads, answers and disposes so often; the module's memory of each, in bytes. */
  async cycles({ count, ...options }) {
    const bytes = await modelBytes();
    const sizes = [];
    for (let cycle = 0; cycle < count; ++cycle) {
      const wisp = await Wisp.load(bytes, { context: 256, threads: 2, ...options });
      await wisp.chat.completions.create({ ...QUESTION, max_tokens: 2 });
      sizes.push((await wisp.memory()).module);
      await wisp.dispose();
    }
    return sizes;
  },
  /** Has the page's thread busy, a third of the time, while a command is carried out. */
  async busily({ command, ...argument }) {
    const timer = setInterval(() => {
      for (const begun = performance.now(); performance.now() - begun < 3;);
    }, 8);
    try {
      return await commands[command](argument);
    } finally {
      clearInterval(timer);
    }
  },
  async stored() {
    const list = Wisp.models();
    try {
      return await list.list();
    } finally {
      list.close();
    }
  },
  async removeAll() {
    const list = Wisp.models();
    for (const { id } of await list.list()) await list.remove(id);
    list.close();
  },
  /** Flips bits in the middle of every kept file of at least a megabyte, in OPFS; tells how many. */
  async damage() {
    let damaged = 0;
    async function visit(folder) {
      for await (const handle of folder.values()) {
        if (handle.kind === 'directory') {
          await visit(handle);
          continue;
        }
        const file = await handle.getFile();
        if (file.size < 1 << 20) continue;
        const bytes = new Uint8Array(await file.arrayBuffer());
        for (const share of [0.3, 0.6, 0.9]) bytes[Math.floor(share * bytes.length)] ^= 0x55;
        const writer = await handle.createWritable();
        await writer.write(bytes);
        await writer.close();
        damaged += 1;
      }
    }
    await visit(await navigator.storage.getDirectory());
    return damaged;
  },
};

window.call = async ([command, argument]) => {
  try {
    return { value: await commands[command](argument ?? {}) };
  } catch (error) {
    return { error: told(error) };
  }
};
