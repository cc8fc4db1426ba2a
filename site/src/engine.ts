// The one model that this page runs: how it comes, what it is, and how it goes.
import { allowHost, keepModule, serviceReady } from './offline/service.js';
import { ask } from './views/dialog.js';
import { askForRoom } from './views/room.js';
import { loadPackage, type EngineInfo, type LoadOptions, type LoadProgress, type ModelSource, type StoredModel, type Wisp } from './package.js';
import { KeptStore, Store } from './store.js';

export interface EngineState {
  phase: 'empty' | 'loading' | 'paused' | 'ready' | 'failed';
  /** What is loaded, for people. */
  label: string;
  progress: LoadProgress | undefined;
  remarks: readonly string[];
  error: string;
  info: EngineInfo | undefined;
}

const EMPTY: EngineState = { phase: 'empty', label: '', progress: undefined, remarks: [], error: '', info: undefined };
export const engine = new Store<EngineState>(EMPTY);

/** How models are loaded; 0: as the engine chooses. */
export const loadSettings = new KeptStore('wisp-load-settings', {
  device: 'auto' as 'auto' | 'gpu' | 'cpu', context: 0, kv: '' as '' | 'f16' | 'q8_0', threads: 0, sequences: 0, token: '',
}, { allowed: { device: ['auto', 'gpu', 'cpu'], kv: ['', 'f16', 'q8_0'] } });

/** The model of the last visit, if it can be loaded again by name. */
export const lastModel = new KeptStore('wisp-last-model', { source: '', label: '' });

export const SHIPPED = { label: 'Wisp Stories', bytes: 7_914_112, address: (): string => new URL('models/wisp-stories.gguf', document.baseURI).href };

let wisp: Wisp | undefined;
let abort: AbortController | undefined;
let wanted: { source: ModelSource; label: string } | undefined;

export function currentWisp(): Wisp {
  if (!wisp) throw new Error('no model is loaded');
  return wisp;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

function hostOf(source: ModelSource): string | undefined {
  // Of what only looks like an address the package says what is wrong with it.
  if (typeof source !== 'string' || !/^https?:/.test(source) || !URL.canParse(source)) return undefined;
  const { origin, hostname } = new URL(source);
  const isKnown = origin === location.origin || hostname === 'huggingface.co' || hostname.endsWith('.hf.co');
  return isKnown ? undefined : origin;
}

// A host that the user named is asked about once: from then on the page's workers may reach it.
const allowed = new Set<string>();
async function mayFetch(host: string): Promise<boolean> {
  if (allowed.has(host)) return true;
  const yes = await ask({
    title: `Fetch from ${host}?`,
    text: `wisp talks only to this site and to Hugging Face. Allow it to fetch models from ${host} too? The host sees your IP address and which file you fetch, nothing of your chats.`,
    yes: 'Allow', no: 'Cancel',
  });
  if (yes) {
    await allowHost(host);
    allowed.add(host);
  }
  return yes;
}

/** Loads a model in place of the present one. Rejects with nothing: what went wrong is in the state. */
export async function loadModel(source: ModelSource, label: string): Promise<boolean> {
  const host = hostOf(source);
  if (host !== undefined && !(await mayFetch(host))) return false;
  abort?.abort();
  const mine = new AbortController();
  abort = mine;
  wanted = { source, label };
  engine.set({ ...EMPTY, phase: 'loading', label });
  const { device, context, kv, threads, sequences, token } = loadSettings.value;
  try {
    await serviceReady();
    const { Wisp } = await loadPackage();
    // What the engine chooses is said, too: use() keeps what it is not told of.
    const options = {
      device,
      context: context || undefined, kv: kv || undefined, threads: threads || undefined, maxSequences: sequences || undefined, token: token || undefined,
      signal: mine.signal,
      onProgress: (progress: LoadProgress) => mine.signal.aborted || engine.patch({ progress }),
      onRemark: (remark: string) => mine.signal.aborted || engine.patch({ remarks: [...engine.value.remarks, remark] }),
      onMakeRoom: askForRoom,
    } as LoadOptions;
    // The worker's policy is that of its start; for a host that is new to it another worker has to start.
    if (wisp && host !== undefined) {
      await wisp.dispose();
      wisp = undefined;
    }
    if (wisp) await wisp.use(source, options);
    else wisp = await Wisp.load(source, options);
    if (mine.signal.aborted) return false;
    const info = wisp.info();
    engine.patch({ phase: 'ready', info, progress: undefined, label: label || info.model.name });
    void keepModule(info.variant);
    if (typeof source === 'string') lastModel.set({ source, label });
    return true;
  } catch (error) {
    if (abort !== mine) return false;
    // After a failed use() nothing is loaded, and the worker may be gone.
    const failed = wisp;
    wisp = undefined;
    await failed?.dispose().catch(() => {});
    if (mine.signal.aborted) engine.patch({ phase: 'paused' });
    else engine.patch({ phase: 'failed', error: messageOf(error), progress: undefined });
    return false;
  }
}

async function isGguf(file: File): Promise<boolean> {
  return (await file.slice(0, 4).text().catch(() => '')) === 'GGUF';
}

/** A file of the user. For one that is no model the one that runs is not given up. */
export async function loadFile(file: File): Promise<void> {
  if (engine.value.phase === 'ready' && !await isGguf(file)) {
    await ask({ title: 'This is not a model', text: `“${file.name}” is not a GGUF file. ${engine.value.label} goes on.`, yes: 'OK' });
    return;
  }
  await loadModel(file, file.name.replace(/\.gguf$/i, ''));
}

/** What was fetched stays; resume() goes on from there. */
export const pauseLoading = (): void => abort?.abort();
export const resumeLoading = (): Promise<boolean> => (wanted ? loadModel(wanted.source, wanted.label) : Promise.resolve(false));

export async function unloadModel(): Promise<void> {
  abort?.abort();
  const gone = wisp;
  wisp = undefined;
  engine.set(EMPTY);
  lastModel.set({ source: '', label: '' });
  await gone?.dispose();
}

/** After a failed call: where the engine's worker ended, the page says so, and offers to start it again. */
export function noteFailure(error: unknown): void {
  if ((error as { code?: unknown } | null)?.code !== 'worker_died') return;
  wisp = undefined;
  engine.patch({ phase: 'failed', error: messageOf(error) });
}

/** Runs `work` on the list of kept models, in a worker of its own. */
export async function withStored<T>(work: (stored: ReturnType<(typeof import('wisp-llm'))['Wisp']['models']>) => Promise<T>): Promise<T> {
  await serviceReady();
  const { Wisp } = await loadPackage();
  const { token } = loadSettings.value;
  const stored = Wisp.models(token === '' ? {} : { token });
  try {
    return await work(stored);
  } finally {
    stored.close();
  }
}

export const labelOf = (model: StoredModel): string => `${model.shortName}`;
