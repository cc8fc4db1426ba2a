// What a page without a model shows: the one that comes with the site, the last one, or the user's own.
import type { JSX } from 'preact';

import { engine, lastModel, loadModel, SHIPPED } from '../engine.js';
import { formatBytes } from '../format.js';
import { useStore } from '../store.js';
import { AddModel } from './add_model.js';
import { LoadingCard, loadShipped } from './progress.js';

export function FirstRun(): JSX.Element {
  const { phase } = useStore(engine);
  const { source, label } = useStore(lastModel);
  const isOther = source !== '' && source !== SHIPPED.address();
  return (
    <div class="first">
      <h1>A language model in this page</h1>
      <p class="lead">Nothing to install, no account. The model runs on this device, and what you write does not leave it.</p>
      <LoadingCard />
      {phase === 'empty' && (
        <>
          <section class="card" aria-label="Start">
            {isOther && (
              <div class="offer">
                <div><h2>{label || source}</h2><p class="note">The model of your last visit.</p></div>
                <button type="button" class="main" onClick={() => void loadModel(source, label)}>Go on with it</button>
              </div>
            )}
            <div class="offer">
              <div><h2>{SHIPPED.label}</h2><p class="note">A tiny storyteller that comes with this site: {formatBytes(SHIPPED.bytes)}. It tells simple stories and knows no facts.</p></div>
              <button type="button" class={isOther ? '' : 'main'} onClick={() => void loadShipped()}>Start</button>
            </div>
          </section>
          <AddModel />
        </>
      )}
    </div>
  );
}
