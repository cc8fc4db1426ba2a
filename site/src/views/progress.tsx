// A model on its way here, with pause and resume.
import type { JSX } from 'preact';

import { engine, loadModel, pauseLoading, resumeLoading, SHIPPED, unloadModel } from '../engine.js';
import { formatBytes, formatMilliseconds } from '../format.js';
import { useStore } from '../store.js';

const PHASES: Record<string, string> = {
  asking: 'Asking what there is', waiting: 'Another tab fetches this model', fetching: 'Downloading', reading: 'Reading', checking: 'Checking its SHA-256',
  loading: 'Copying to the device', starting: 'Preparing the device', ready: 'Ready',
};
// All bytes are where they belong: how many there were tells nothing of how far it is.
const WITHOUT_BYTES = ['starting', 'ready'];

export function LoadingCard(): JSX.Element | null {
  const { phase, label, progress, remarks, error } = useStore(engine);
  if (phase === 'empty' || phase === 'ready') return null;
  const { loaded = 0, total = 0, bytesPerSecond = 0, phase: step = 'asking' } = progress ?? {};
  const isCounted = total > 0 && !WITHOUT_BYTES.includes(step);
  const bytes = `${formatBytes(loaded)} of ${formatBytes(total)}`;
  const left = bytesPerSecond > 0 && step === 'fetching' ? `, ${formatMilliseconds(((total - loaded) / bytesPerSecond) * 1000)} left` : '';
  return (
    <section class="card loading" aria-label="Loading a model">
      <h2>{phase === 'failed' ? `${label || 'The model'} was not loaded` : label || 'A model'}</h2>
      {phase === 'failed' ? <p class="error" role="alert">{error}</p> : (
        <>
          <progress aria-label="Progress" {...(isCounted && { value: loaded, max: total })} />
          <p class="note">
            {/* What is done is read out; not each of the bytes. */}
            <span aria-live="polite">{phase === 'paused' ? `Paused; what is here stays here.${step === 'fetching' && isCounted ? ` It is ${bytes}.` : ''}` : PHASES[step] ?? step}</span>
            {isCounted && phase === 'loading' && `: ${bytes}`}
            {isCounted && bytesPerSecond > 0 && phase === 'loading' && ` (${formatBytes(bytesPerSecond)}/s${left})`}
          </p>
        </>
      )}
      {remarks.map(remark => <p key={remark} class="note">{remark}</p>)}
      <div class="row">
        {/* One button, which keeps the focus. */}
        <button type="button" class={phase === 'loading' ? '' : 'main'} onClick={() => (phase === 'loading' ? pauseLoading() : void resumeLoading())}>
          {phase === 'loading' ? 'Pause' : phase === 'paused' ? 'Resume' : 'Try again'}
        </button>
        {phase !== 'loading' && <button type="button" onClick={() => void unloadModel()}>Another model</button>}
      </div>
    </section>
  );
}

export const loadShipped = (): Promise<boolean> => loadModel(SHIPPED.address(), SHIPPED.label);
