// What a page shows while a model is opened: the same numbers for bytes from the network and from the cache.

export interface ModelProgress {
  /**
   * asking: for a repository's list. waiting: another tab fetches the same model. fetching: from the network. reading:
   * everything is here, the loader reads it. checking: SHA-256 of what was not hashed while it came.
   */
  readonly phase: 'asking' | 'waiting' | 'fetching' | 'reading' | 'checking';
  /**
   * fetching: bytes that are here; reading: bytes that were read, each counted once; checking: bytes that are hashed.
   */
  readonly loaded: number;
  /** Of all parts; 0 while unknown. */
  readonly total: number;
  /** Of `loaded`: bytes that did not come over the network now. */
  readonly fromCache: number;
  /** Over the last two seconds. */
  readonly bytesPerSecond: number;
}

const INTERVAL = 100; // ms between two reports
const WINDOW = 2000; // ms that the rate is taken over

/** Tells at most ten times a second, and always the last of a phase. */
export class ProgressMeter {
  private last = -Infinity;
  private phase = '';
  private readonly samples: { time: number; loaded: number }[] = [];

  constructor(
    private readonly report: ((progress: ModelProgress) => void) | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  tell(phase: ModelProgress['phase'], loaded = 0, total = 0, fromCache = 0): void {
    if (this.report === undefined) return;
    const time = this.now();
    if (phase !== this.phase) {
      this.samples.length = 0;
      this.last = -Infinity;
      this.phase = phase;
    }
    const isLast = loaded === total;
    if (time - this.last < INTERVAL && !isLast) return;
    this.last = time;
    this.samples.push({ time, loaded });
    while (this.samples.length > 2 && this.samples[1]!.time < time - WINDOW) this.samples.shift();
    const oldest = this.samples[0]!;
    const bytesPerSecond =
      time > oldest.time ? Math.max(0, Math.round(((loaded - oldest.loaded) / (time - oldest.time)) * 1000)) : 0;
    this.report({ phase, loaded, total, fromCache: Math.min(fromCache, loaded), bytesPerSecond });
  }
}
