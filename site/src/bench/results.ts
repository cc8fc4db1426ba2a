// Results that are kept in this browser: the local leaderboard.
import type { EngineInfo } from '../package.js';
import { newId } from '../data/conversations.js';
import { erase, readAll, write } from '../data/database.js';
import type { Comparison } from './numerics.js';
import type { Row } from './run.js';

export interface Result {
  id: string;
  time: number;
  version: string;
  model: string;
  type: string;
  bytes: number;
  device: 'gpu' | 'cpu';
  executor: string;
  variant: string;
  threads: number;
  context: number;
  kv: string;
  browser: string;
  /** Measured GB/s of this device's memory; 0: not measured. */
  bandwidth: number;
  rows: Row[];
  numerics?: Comparison;
}

/** "Chrome 156", without what would tell who is asking. */
export function browserName(agent = navigator.userAgent): string {
  const match = /(Firefox|Edg|OPR|Chrome)\/(\d+)/.exec(agent.replace(/Chrome(\/\d+.*)(Edg|OPR)/, '$2$1$2')) ?? /(Version)\/(\d+).*Safari/.exec(agent);
  if (!match) return 'a browser';
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' };
  return `${names[match[1]!] ?? match[1]} ${match[2]}`;
}

export function resultOf(info: EngineInfo, rows: Row[], bandwidth: number, numerics: Comparison | undefined): Result {
  const { model, device, executor, variant, threads, context, kv, version } = info;
  return {
    id: newId(), time: Date.now(), version, model: model.name, type: model.type, bytes: model.bytes, device, executor, variant, threads, context, kv,
    browser: browserName(), bandwidth, rows, ...(numerics && { numerics }),
  };
}

/** What a decoded token costs in reading: every weight once. */
export const gigabytesPerSecond = ({ bytes }: Pick<Result, 'bytes'>, decode: number): number => (bytes * decode) / 1e9;

export const bestOf = (rows: readonly Row[], what: 'prefill' | 'decode'): number => Math.max(0, ...rows.map(row => row[what]));

export const keepResult = (result: Result): Promise<void> => write('results', result);
export const forgetResult = (id: string): Promise<void> => erase('results', id);
/** The fastest decode first. */
export const readResults = async (): Promise<Result[]> => (await readAll<Result>('results')).sort((a, b) => bestOf(b.rows, 'decode') - bestOf(a.rows, 'decode'));
