// Labelled inputs.
import type { ComponentChildren, JSX } from 'preact';
import { useId, useState } from 'preact/hooks';

export function Field({ label, hint, children }: { label: string; hint?: string | undefined; children: (id: string, hintId: string | undefined) => ComponentChildren }): JSX.Element {
  const id = useId();
  const hintId = hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hintId)}
      {hint && <small id={hintId}>{hint}</small>}
    </div>
  );
}

export function NumberField({ label, hint, value, min, max, step, onChange }: {
  label: string; hint?: string; value: number; min: number; max: number; step: number; onChange: (value: number) => void;
}): JSX.Element {
  // What is being typed is no value yet, and stays while the page is drawn anew around it.
  const [typed, setTyped] = useState<string>();
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => <input id={id} aria-describedby={hintId} type="number" inputMode="decimal" value={typed ?? value} min={min} max={max} step={step}
        onInput={({ currentTarget }) => { if (!currentTarget.validity.badInput) setTyped(currentTarget.value); }}
        onChange={({ currentTarget }) => {
          const given = Number.isInteger(step) ? Math.round(currentTarget.valueAsNumber) : currentTarget.valueAsNumber;
          setTyped(undefined);
          if (Number.isFinite(given)) onChange(Math.min(max, Math.max(min, given)));
          else currentTarget.value = String(value);
        }} />}
    </Field>
  );
}

export function Choice<T extends string>({ label, hint, value, options, onChange }: {
  label: string; hint?: string; value: T; options: Record<T, string>; onChange: (value: T) => void;
}): JSX.Element {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <select id={id} aria-describedby={hintId} value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as T)}>
          {(Object.keys(options) as T[]).map(key => <option key={key} value={key}>{options[key]}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, hint, value, onChange }: { label: string; hint?: string; value: boolean; onChange: (value: boolean) => void }): JSX.Element {
  const hintId = useId();
  return (
    <div class="field">
      <label class="check"><input type="checkbox" aria-describedby={hint && hintId} checked={value} onChange={({ currentTarget }) => onChange(currentTarget.checked)} /><span>{label}</span></label>
      {hint && <small id={hintId}>{hint}</small>}
    </div>
  );
}
