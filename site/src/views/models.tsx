// What is kept in this browser, how full it is, and how models are loaded.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { engine, labelOf, loadModel, loadSettings, messageOf, SHIPPED, unloadModel, withStored } from '../engine.js';
import { formatBytes, formatCount, formatMilliseconds, formatWhen } from '../format.js';
import type { StoredModel } from '../package.js';
import { useStore } from '../store.js';
import { AddModel } from './add_model.js';
import { ask } from './dialog.js';
import { Choice, Field, NumberField } from './field.js';
import { LoadingCard, loadShipped } from './progress.js';

interface Kept {
  list: StoredModel[];
  usage: { used: number; quota: number; free: number; persisted: boolean; models: number };
}

function Running(): JSX.Element | null {
  const { phase, info, label, remarks } = useStore(engine);
  if (phase !== 'ready' || !info) return null;
  const { model } = info;
  const facts: [string, string][] = [
    ['Model', [model.name, model.type, formatBytes(model.bytes)].filter(Boolean).join(', ')],
    ['Shape', `${model.architecture}, ${model.layers} layers, ${formatCount(model.parameters)} parameters`],
    ['Device', info.executor],
    ['Context', `${info.context} tokens of ${model.context}, ${info.maxSequences} at once, keys and values as ${info.kv}`],
    ['Loaded in', formatMilliseconds(info.loadMilliseconds)],
    ...(model.why ? [['Why this type', model.why] as [string, string]] : []),
    ...(crossOriginIsolated ? [] : [['Threads', 'one: this page is not cross-origin isolated'] as [string, string]]),
  ];
  return (
    <section class="card" aria-label="The running model">
      <h2>{label}</h2>
      <dl>{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      {remarks.map(remark => <p key={remark} class="note">{remark}</p>)}
      <div class="row"><button type="button" onClick={() => void unloadModel()}>Unload</button></div>
    </section>
  );
}

function Stored(): JSX.Element {
  const { phase, info } = useStore(engine);
  const [kept, setKept] = useState<Kept>();
  const [problem, setProblem] = useState('');
  const again = useRef<HTMLButtonElement>(null);
  const read = (): void => {
    void withStored(async stored => ({ list: await stored.list(), usage: await stored.usage() }))
      .then(found => { setKept(found); setProblem(''); }, error => setProblem(messageOf(error)));
  };
  useEffect(read, [phase]);
  const askToDelete = async (model: StoredModel): Promise<void> => {
    if (!await ask({ title: `Delete ${labelOf(model)}?`, text: `Its ${formatBytes(model.here)} are freed. Loading it again fetches it again.`, yes: 'Delete', no: 'Keep' })) return;
    again.current?.focus(); // the row's own buttons go with it
    await withStored(stored => stored.remove(model.id)).catch(error => setProblem(messageOf(error)));
    read();
  };
  const list = kept?.list ?? [];
  return (
    <section class="card" aria-label="Stored models">
      <h2>Stored in this browser</h2>
      {problem !== '' && <p class="error" role="alert">{problem}</p>}
      {kept && (
        <div class="quota">
          <meter aria-label="Storage used" min={0} max={kept.usage.quota || 1} value={kept.usage.used} />
          <p class="note">
            {formatBytes(kept.usage.models)} of models; {formatBytes(kept.usage.free)} of {formatBytes(kept.usage.quota)} free.
            {kept.usage.persisted ? ' The browser asks before it clears this.' : ' The browser may clear this when space runs short.'}
          </p>
        </div>
      )}
      {kept && list.length === 0 && <p class="note">Nothing yet. Models that you load are kept, and work without a network afterwards.</p>}
      {list.length > 0 && (
        <div class="table" tabIndex={0} role="region" aria-label="List of stored models">
          <table>
            <thead><tr><th scope="col">Model</th><th scope="col">Type</th><th scope="col" class="number">Size</th><th scope="col">Used</th><th scope="col"><span class="hidden">Do</span></th></tr></thead>
            <tbody>
              {list.map(model => (
                <tr key={model.id}>
                  <td title={model.name}>{labelOf(model)}{!model.complete && <small> {model.bytes > 0 ? `${Math.floor((100 * model.here) / model.bytes)} % here` : 'partly here'}</small>}</td>
                  <td>{model.type}</td>
                  <td class="number">{formatBytes(model.bytes || model.here)}</td>
                  <td>{formatWhen(model.lastUsed)}</td>
                  <td class="do">
                    {model.name === info?.model.source && phase === 'ready' ? <span class="note">running</span>
                      : <button type="button" onClick={() => void loadModel(model.name, labelOf(model))}>{model.complete ? 'Load' : 'Resume'}</button>}
                    <button type="button" aria-label={`Delete ${labelOf(model)}`} onClick={() => void askToDelete(model)}>Delete</button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="row">
        <button type="button" onClick={() => void loadShipped()}>Load {SHIPPED.label} ({formatBytes(SHIPPED.bytes)})</button>
        <button ref={again} type="button" onClick={read}>Look again</button>
        {kept && !kept.usage.persisted && <button type="button" onClick={() => void navigator.storage?.persist?.().then(read)}>Ask the browser to keep it</button>}
      </div>
    </section>
  );
}

function HowToLoad(): JSX.Element {
  const settings = useStore(loadSettings);
  return (
    <form class="card" aria-label="How models are loaded" onSubmit={event => event.preventDefault()}>
      <h2>How models are loaded</h2>
      <p class="note">These hold from the next load on.</p>
      <div class="grid">
        <Choice label="Device" value={settings.device} options={{ auto: 'The best that works', gpu: 'GPU only', cpu: 'CPU only' }} onChange={device => loadSettings.patch({ device })} />
        <NumberField label="Context in tokens" hint="0: 2,048, or more where it fits" value={settings.context} min={0} max={1048576} step={256} onChange={context => loadSettings.patch({ context })} />
        <Choice label="Keys and values" value={settings.kv} options={{ '': 'As fits', f16: 'f16', q8_0: 'q8_0' }} onChange={kv => loadSettings.patch({ kv })} />
        <NumberField label="Threads" hint="0: all; on the CPU" value={settings.threads} min={0} max={256} step={1} onChange={threads => loadSettings.patch({ threads })} />
      </div>
      <Field label="Hugging Face token" hint="Only for repositories that ask for one. Kept in this browser, sent to huggingface.co alone.">
        {(id, hintId) => <input id={id} aria-describedby={hintId} type="password" autocomplete="off" value={settings.token} onInput={({ currentTarget }) => loadSettings.patch({ token: currentTarget.value.trim() })} />}
      </Field>
    </form>
  );
}

export function Models(): JSX.Element {
  return (
    <div class="page">
      <h1>Models</h1>
      <LoadingCard />
      <Running />
      <AddModel />
      <Stored />
      <HowToLoad />
    </div>
  );
}
