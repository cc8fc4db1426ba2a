// The one model of this worker: its load in the first way that works, its recovery when a GPU is lost for good, its end.
import { ModelError, type MakeRoomRequest, type Models, type ModelSource, type OpenedModel, type OpenOptions } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import type { EngineInfo, LoadProgress, LoadSettings } from '../protocol.js';
import { describeModel, describeRunning } from './describe.js';
import { errorOf, isFinal } from './failures.js';
import { fitsOn } from './fits.js';
import { load, ModuleError, type Loaded, type Way } from './loader.js';
import type { Session } from './session.js';
import type { Stores } from './stores.js';
import { findWays } from './ways.js';

export interface ModelHooks {
  /** Of the load with this number. */
  progress(id: number, progress: LoadProgress): void;
  remark(id: number, text: string): void;
  makeRoom(request: MakeRoomRequest, signal: AbortSignal): Promise<readonly string[] | 'do not keep' | undefined>;
  /** Another device runs the model. */
  changed(info: EngineInfo, remark: string): void;
  /** `isRecovering` is over, with a model or without. */
  recovered(): void;
}

export class RunningModel {
  #file: OpenedModel | undefined;
  #session: Session | undefined;
  #info: EngineInfo | undefined;
  #settings: LoadSettings = { device: 'auto' };
  #abort = new AbortController();
  #waysLeft: Way[] = [];
  #loading: number | undefined;
  #isRecovering = false;
  /** While it recovers: whose answers wait to go on. */
  #lost: Session | undefined;
  /** Settles when no load, and no recovery, runs. */
  #lastLoad: Promise<unknown> = Promise.resolve();

  constructor(readonly platform: Platform, readonly stores: Stores, readonly hooks: ModelHooks) {}

  /** Throws where nothing is loaded. */
  get session(): Session {
    if (!this.#session) throw new ModelError('invalid_argument', 'no model is loaded');
    return this.#session;
  }

  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  /** Until no load, and no recovery, runs. */
  async settled(): Promise<void> {
    await this.#lastLoad;
  }

  /** Gives up a load before it. */
  load(id: number, source: ModelSource, settings: LoadSettings): Promise<EngineInfo> {
    this.#abort.abort();
    const abort = this.#abort = new AbortController();
    this.#loading = id;
    return this.#inTurn(() => this.#load(id, source, settings, abort));
  }

  async unload(): Promise<void> {
    this.#abort.abort();
    await this.#inTurn(() => this.#giveBack());
  }

  /** Ends the load with this number, or the answers of this request. */
  cancel(id: number): void {
    if (this.#loading === id) this.#abort.abort();
    else (this.#session ?? this.#lost)?.cancel(id);
  }

  // Loads and recoveries come one after another: each has given back what it held before the next begins.
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#lastLoad.then(task);
    this.#lastLoad = done.catch(() => {});
    return done;
  }

  async #load(id: number, source: ModelSource, settings: LoadSettings, abort: AbortController): Promise<EngineInfo> {
    const begun = performance.now();
    const progress = (told: LoadProgress): void => this.hooks.progress(id, told);
    // Bytes come and go to their device at the same time. What is told is what has to be waited for: the network, then the device.
    let bytes: LoadProgress | undefined;
    let isLoading = false;
    const remarks: string[] = [];
    const remark = (text: string): void => {
      remarks.push(text);
      this.hooks.remark(id, text);
    };
    try {
      await this.#giveBack();
      abort.signal.throwIfAborted();
      this.#settings = this.stores.options = settings;
      const found = await findWays(this.platform, settings);
      found.remarks.forEach(remark);
      const models = await this.stores.open();
      const ways = await this.#openFile(models, source, found.ways, {
        signal: abort.signal, onRemark: remark,
        onProgress: told => {
          bytes = told;
          if (told.phase !== 'reading' || !isLoading) progress({ ...told });
        },
        onMakeRoom: request => this.hooks.makeRoom(request, abort.signal),
        ...(settings.keep !== undefined && { keep: settings.keep }),
        ...(settings.sha256 !== undefined && { sha256: settings.sha256 }),
        ...(settings.refresh !== undefined && { refresh: settings.refresh }),
      });
      const texts = await models.texts.load();
      let total = 0;
      let weightsReady = begun;
      const { loaded, way } = await this.#tryWays(ways, remark, tried => load(this.platform, this.#file!, tried, settings, {
        signal: abort.signal, texts, remark,
        progress: (done, all) => {
          total = all;
          isLoading = true;
          if (bytes?.phase === 'fetching' && bytes.loaded < bytes.total && done < all) return;
          progress({ phase: 'loading', loaded: done, total: all, fromCache: Math.min(done, bytes?.fromCache ?? 0), bytesPerSecond: bytes?.bytesPerSecond ?? 0 });
        },
        starting: () => {
          weightsReady = performance.now();
          progress({ phase: 'starting', loaded: total, total, fromCache: 0, bytesPerSecond: 0 });
        },
      }));
      this.#use(loaded.session);
      // What the engine does not use is fetched too, so that the model is whole and works offline.
      await this.#file!.complete();
      abort.signal.throwIfAborted();
      const { module } = loaded.session.parts;
      this.#info = {
        version: module.textAt(module.call('wisp_version')),
        model: describeModel(this.#file!, loaded.model),
        ...describeRunning(loaded.session, way, settings),
        loadMilliseconds: performance.now() - begun, readyMilliseconds: performance.now() - weightsReady, store: models.storeKind, remarks,
      };
      await this.#keepTexts();
      progress({ phase: 'ready', loaded: total, total, fromCache: 0, bytesPerSecond: 0 });
      return this.#info;
    } catch (error) {
      await this.#giveBack();
      throw abort.signal.aborted ? new ModelError('cancelled', 'the load was cancelled') : error;
    } finally {
      if (this.#loading === id) this.#loading = undefined;
    }
  }

  // Each way until one works.
  async #tryWays(ways: Way[], remark: (text: string) => void, attempt: (way: Way) => Promise<Loaded>): Promise<{ loaded: Loaded; way: Way }> {
    let left = ways;
    for (;;) {
      const [way, ...others] = left;
      if (!way) throw new ModelError('internal', 'there is no way to run a model');
      try {
        const loaded = await attempt(way);
        this.#waysLeft = others;
        return { loaded, way };
      } catch (error) {
        const failure = errorOf(error);
        // What fails on the GPU does so by another module, too, unless it was the module.
        left = others.filter(({ device }) => device === 'cpu' || error instanceof ModuleError);
        if (left.length === 0 || isFinal(failure) || (failure.code === 'limit' && way.device === 'cpu')) throw error;
        remark(`not on ${way.device === 'gpu' ? 'the GPU' : `the ${way.variant} module`}: ${failure.message}`);
      }
    }
  }

  // Of a repository the type that fits the GPU; where none does, the one that fits the CPU, which then runs it. Gives the ways left.
  async #openFile(models: Models, source: ModelSource, ways: Way[], options: OpenOptions): Promise<Way[]> {
    const first = ways[0]!; // findWays() gives one at least
    const onCpu = ways.filter(({ device }) => device === 'cpu');
    try {
      this.#file = await models.open(source, { ...options, fits: fitsOn(this.platform, first, this.#settings) });
      return ways;
    } catch (error) {
      const { code, message } = ModelError.from(error);
      if (code !== 'out_of_memory' || first.device !== 'gpu' || !onCpu[0]) throw error;
      options.onRemark?.(`not on the GPU: ${message}`);
      this.#file = await models.open(source, { ...options, fits: fitsOn(this.platform, onCpu[0], this.#settings) });
      return onCpu;
    }
  }

  #use(session: Session): void {
    this.#session = session;
    session.onidle = () => void this.#keepTexts();
    session.onbroken = error => {
      this.#isRecovering = true;
      void this.#inTurn(() => this.#recover(session, error)).finally(() => {
        this.#isRecovering = false;
        this.hooks.recovered();
      });
    };
  }

  // A device that is lost for good must not take the answers with it: they go on in the next way.
  async #recover(session: Session, error: ModelError): Promise<void> {
    if (session !== this.#session) return; // given back meanwhile
    const fail = (why: ModelError): void => session.unfinished().forEach(generation => generation.fail(why));
    const next = this.#waysLeft.find(way => way.device === 'cpu');
    if (!next || !this.#file || !this.#info || session.parts.device !== 'gpu' || this.#settings.device !== 'auto') {
      this.#session = undefined;
      session.close();
      fail(error);
      return;
    }
    const remark = `the GPU was lost, and the CPU goes on: ${error.message}`;
    this.#info.remarks.push(remark);
    try {
      this.#session = undefined;
      this.#lost = session;
      session.close();
      const ways = this.#waysLeft.slice(this.#waysLeft.indexOf(next));
      const remarks = this.#info.remarks;
      const { loaded, way } = await this.#tryWays(ways, text => remarks.push(text), tried => load(this.platform, this.#file!, tried, this.#settings, {
        signal: this.#abort.signal, texts: new Map(), progress: () => {}, starting: () => {}, remark: text => remarks.push(text),
      }));
      this.#use(loaded.session);
      this.#info = { ...this.#info, ...describeRunning(loaded.session, way, this.#settings) };
      this.hooks.changed(this.#info, remark);
      loaded.session.adopt(session.unfinished());
    } catch (cause) {
      this.#session = undefined;
      fail(ModelError.from(cause));
    } finally {
      this.#lost = undefined;
    }
  }

  async #giveBack(): Promise<void> {
    const [session, file] = [this.#session, this.#file];
    this.#session = this.#file = this.#info = undefined;
    session?.unfinished().forEach(generation => generation.fail(new ModelError('cancelled', 'the model was unloaded')));
    session?.close();
    await file?.close();
  }

  async #keepTexts(): Promise<void> {
    const session = this.#session;
    if (!session || session.parts.device !== 'gpu') return;
    const texts = session.takeTexts();
    if (texts.size > 0) await (await this.stores.open()).texts.save(texts).catch(() => {});
  }
}
