// What runs, as a caller is told.
import type { OpenedModel } from '../models/index.js';
import type { EngineInfo, LoadSettings, ModelInfo } from '../protocol.js';
import { MAX_SEQUENCES, type Described } from './header.js';
import type { Way } from './loader.js';
import type { Session } from './session.js';

type Running = Pick<EngineInfo, 'device' | 'executor' | 'variant' | 'threads' | 'context' | 'kv' | 'maxSequences' | 'kernels' | 'knownKernels'>;

/** What changes when another device takes over. */
export function describeRunning({ native, parts }: Session, way: Way, settings: LoadSettings): Running {
  const told = native.json<{ executor: string; kv: string; kernels: number; known_kernels: number }>('wisp_engine_describe', parts.engine);
  return {
    device: way.device, executor: told.executor, variant: way.variant, threads: way.threads,
    context: parts.module.call('wisp_engine_max_positions', parts.engine), kv: told.kv,
    maxSequences: settings.maxSequences ?? MAX_SEQUENCES, kernels: told.kernels, knownKernels: told.known_kernels,
  };
}

export function describeModel(file: OpenedModel, model: Described): ModelInfo {
  return {
    source: file.name, name: model.name ?? '', architecture: model.architecture, type: file.type, bytes: file.size,
    parameters: model.parameters ?? 0, context: model.context ?? 0, layers: model.layers ?? 0,
    chatTemplate: model.chat_template, why: file.why,
  };
}
