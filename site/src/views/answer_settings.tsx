// How answers are made: system prompt, sampling, tools, form.
import type { JSX } from 'preact';

import { answerSettings, problemOf } from '../data/settings.js';
import { useStore } from '../store.js';
import { Check, Choice, Field, NumberField } from './field.js';

const change = (fields: Partial<typeof answerSettings.value>): void => answerSettings.patch(fields);

export function AnswerSettings(): JSX.Element {
  const settings = useStore(answerSettings);
  const problem = problemOf(settings);
  return (
    <form class="settings" onSubmit={event => event.preventDefault()}>
      <Field label="System prompt" hint="Goes before every conversation.">
        {(id, hintId) => <textarea id={id} aria-describedby={hintId} dir="auto" rows={4} value={settings.system} onInput={({ currentTarget }) => change({ system: currentTarget.value })} />}
      </Field>
      <div class="grid">
        <NumberField label="Temperature" value={settings.temperature} min={0} max={5} step={0.05} onChange={temperature => change({ temperature })} />
        <NumberField label="Longest answer" value={settings.maxTokens} min={1} max={131072} step={1} onChange={maxTokens => change({ maxTokens })} />
        <NumberField label="Top p" value={settings.topP} min={0} max={1} step={0.01} onChange={topP => change({ topP })} />
        <NumberField label="Top k" value={settings.topK} min={0} max={1000} step={1} onChange={topK => change({ topK })} />
        <NumberField label="Min p" value={settings.minP} min={0} max={1} step={0.01} onChange={minP => change({ minP })} />
        <NumberField label="Repeat penalty" value={settings.repeatPenalty} min={1} max={2} step={0.01} onChange={repeatPenalty => change({ repeatPenalty })} />
      </div>
      <Field label="Seed" hint="A number makes answers repeatable.">
        {(id, hintId) => <input id={id} aria-describedby={hintId} type="text" inputMode="numeric" value={settings.seed} placeholder="random" onInput={({ currentTarget }) => change({ seed: currentTarget.value })} />}
      </Field>
      <Field label="Stop at" hint="One text a line.">
        {(id, hintId) => <textarea id={id} aria-describedby={hintId} rows={2} value={settings.stop} onInput={({ currentTarget }) => change({ stop: currentTarget.value })} />}
      </Field>
      <Check label="Let the model think first" hint="For models that can." value={settings.thinking} onChange={thinking => change({ thinking })} />
      <Check label="Tools: calculator and clock" hint="They run in this page. For models trained to call tools." value={settings.tools} onChange={tools => change({ tools })} />
      <Choice label="Answer as" value={settings.format} options={{ text: 'Text', json: 'JSON', schema: 'JSON by a schema' }} onChange={format => change({ format })} />
      {settings.format === 'schema' && (
        <Field label="JSON Schema" hint={problem || 'The answer always obeys it.'}>
          {(id, hintId) => <textarea id={id} aria-describedby={hintId} class="code" rows={9} spellcheck={false} aria-invalid={problem !== ''} value={settings.schema}
            onInput={({ currentTarget }) => change({ schema: currentTarget.value })} />}
        </Field>
      )}
    </form>
  );
}
