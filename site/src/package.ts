// The package wisp-llm, as it lies beside the app, fetched when it is first wanted.
import type * as Package from 'wisp-llm';

export type { ChatMessage, ChatRequest, EngineInfo, LoadOptions, LoadProgress, ModelSource, StoredModel, Tool, ToolCall, Wisp } from 'wisp-llm';

let loaded: Promise<typeof Package> | undefined;

/** A failure is not remembered: the network may be back the next time. */
export function loadPackage(): Promise<typeof Package> {
  loaded ??= (import(/* @vite-ignore */ new URL('wisp/index.js', document.baseURI).href) as Promise<typeof Package>).catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}
