// Another quantisation, or another kept model, in the middle of a conversation.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import { engine, labelOf, loadModel, withStored } from '../engine.js';
import { formatBytes } from '../format.js';
import type { StoredModel } from '../package.js';
import { useStore } from '../store.js';

export function ModelMenu(): JSX.Element | null {
  const { phase, info, label } = useStore(engine);
  const [kept, setKept] = useState<StoredModel[]>([]);
  useEffect(() => {
    if (phase === 'ready') void withStored(stored => stored.list()).then(list => setKept(list.filter(({ complete }) => complete)), () => {});
  }, [phase, info]);
  if (phase !== 'ready' || !info) return null;
  const others = kept.filter(({ name }) => name !== info.model.source);
  return (
    <select class="model-name" aria-label="Model" value=""
      onChange={({ currentTarget }) => {
        if (currentTarget.value === 'more') location.hash = '#models';
        const model = others.find(({ id }) => id === currentTarget.value);
        if (model) void loadModel(model.name, labelOf(model));
      }}>
      <option value="">{label}</option>
      {others.map(model => <option key={model.id} value={model.id}>{labelOf(model)} ({formatBytes(model.bytes)})</option>)}
      <option value="more">Other models and types…</option>
    </select>
  );
}
