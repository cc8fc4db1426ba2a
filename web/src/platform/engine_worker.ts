// The line between a caller's thread and the engine's worker, as its two ends see it.

/** Either end. */
export interface Line {
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  onmessage: (message: unknown) => void;
}

/** A worker as its starter sees it. */
export interface EngineWorker extends Line {
  /** Called once, with the reason, when it ended or broke without being asked to. */
  ondeath: (reason: string) => void;
  stop(): void;
}

export type WorkerStarter = () => EngineWorker;
