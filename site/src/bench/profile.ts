// Where the time of a short generation goes, and who holds the memory.
import type { Wisp } from '../package.js';
import { measureBandwidth } from './bandwidth.js';

export interface Op {
  name: string;
  /** -1: outside of the layers. */
  layer: number;
  calls: number;
  rows: number;
  nanoseconds: number;
}

export interface Profile {
  ops: Op[];
  tokens: number;
  milliseconds: number;
  /** GB/s: how fast weights were read, all of them for each token, and the most that was measured of this device's memory (0: not measured). */
  read: number;
  peak: number;
  memory: [owner: string, bytes: number][];
  counters: Record<string, number>;
  /** Since the model was loaded: while kernels compiled, and what measuring them took. */
  start: { compileNanoseconds: number; tuningNanoseconds: number };
}

const isOp = (value: unknown): value is Op => value !== null && typeof value === 'object' && 'name' in value && 'nanoseconds' in value;

// What the engine counted before is no part of it.
const since = (ops: readonly unknown[], before: readonly unknown[]): Op[] => ops.filter(isOp).map((op, index) => {
  const old = before[index];
  if (!isOp(old) || old.name !== op.name || old.layer !== op.layer) return op;
  return { ...op, calls: op.calls - old.calls, rows: op.rows - old.rows, nanoseconds: op.nanoseconds - old.nanoseconds };
});

export async function takeProfile(wisp: Wisp, tokens: number, signal: AbortSignal): Promise<Profile> {
  const peak = await measureBandwidth(wisp.info());
  const { bytes } = wisp.info().model;
  const earlier = await wisp.profile(true);
  const before = await wisp.counters();
  const begun = performance.now();
  let ops: unknown[];
  try {
    await wisp.completions.create({ prompt: 'Once upon a time', max_tokens: tokens, temperature: 0, ignore_end: true }, { signal });
  } finally {
    ops = await wisp.profile(false);
  }
  const milliseconds = performance.now() - begun;
  const after = await wisp.counters();
  const memory = Object.entries(await wisp.memory()).filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0);
  return {
    ops: since(ops, earlier), tokens, milliseconds, read: (bytes * tokens) / milliseconds / 1e6, peak, memory: memory.sort((a, b) => b[1] - a[1]),
    start: { compileNanoseconds: after.compile_ns ?? 0, tuningNanoseconds: after.tuning_ns ?? 0 },
    counters: Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)])),
  };
}

export interface Layer {
  layer: number;
  nanoseconds: number;
  parts: Op[];
}

/** In the order of the model: what comes before the layers and after them is one group, -1. */
export function byLayer(ops: readonly Op[]): Layer[] {
  const layers = new Map<number, Layer>();
  for (const op of ops) {
    const found = layers.get(op.layer) ?? { layer: op.layer, nanoseconds: 0, parts: [] };
    found.nanoseconds += op.nanoseconds;
    found.parts.push(op);
    layers.set(op.layer, found);
  }
  return [...layers.values()].sort((a, b) => a.layer - b.layer);
}

/** The same op of all layers together, the costliest first. */
export function byName(ops: readonly Op[]): { name: string; nanoseconds: number; calls: number }[] {
  const names = new Map<string, { name: string; nanoseconds: number; calls: number }>();
  for (const { name, nanoseconds, calls } of ops) {
    const found = names.get(name) ?? { name, nanoseconds: 0, calls: 0 };
    found.nanoseconds += nanoseconds;
    found.calls += calls;
    names.set(name, found);
  }
  return [...names.values()].sort((a, b) => b.nanoseconds - a.nanoseconds);
}
