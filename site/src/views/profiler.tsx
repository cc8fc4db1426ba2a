// Where time and memory go: layers and ops of a short generation, bytes by owner, what the start took.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import { byLayer, byName, takeProfile, type Profile } from '../bench/profile.js';
import { currentWisp, engine, messageOf, noteFailure } from '../engine.js';
import { formatBytes, formatMilliseconds, formatRate } from '../format.js';
import { useStore } from '../store.js';
import { saveFile } from './copy.js';
import { LoadingCard, loadShipped } from './progress.js';

const TOKENS = 32;
const COLOURS = 6; // classes part-0 ... of the style sheet
const milliseconds = (nanoseconds: number): string => formatRate(nanoseconds / 1e6);

function Layers({ profile }: { profile: Profile }): JSX.Element {
  const layers = byLayer(profile.ops);
  const most = Math.max(...layers.map(({ nanoseconds }) => nanoseconds), 1);
  const names = byName(profile.ops).map(({ name }) => name);
  const classOf = (name: string): string => `part part-${Math.min(names.indexOf(name), COLOURS - 1)}`;
  return (
    <>
      <ul class="plain legend" aria-hidden="true">{names.slice(0, COLOURS).map((name, index) => <li key={name}><span class={classOf(name)} />{index === COLOURS - 1 && names.length > COLOURS ? 'others' : name}</li>)}</ul>
      <ol class="plain layers" aria-label="Time by layer">
        {layers.map(({ layer, nanoseconds, parts }) => (
          <li key={layer}>
            <span class="layer-name">{layer < 0 ? 'outside' : `layer ${layer}`}</span>
            <svg class="bar-line" viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label={`${milliseconds(nanoseconds)} ms`}>
              {parts.map(({ name, nanoseconds: took }, index) => {
                const before = parts.slice(0, index).reduce((sum, part) => sum + part.nanoseconds, 0);
                return <rect key={index} class={classOf(name)} x={(1000 * before) / most} y="0" width={(1000 * took) / most} height="16"><title>{`${name}: ${milliseconds(took)} ms`}</title></rect>;
              })}
            </svg>
            <span class="number">{milliseconds(nanoseconds)} ms</span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Figures({ profile }: { profile: Profile }): JSX.Element {
  const names = byName(profile.ops);
  const sum = names.reduce((total, { nanoseconds }) => total + nanoseconds, 0) || 1;
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Time by op">
      <table>
        <thead><tr><th scope="col">Op</th><th scope="col" class="number">Calls</th><th scope="col" class="number">ms</th><th scope="col" class="number">Share</th></tr></thead>
        <tbody>
          {names.map(({ name, calls, nanoseconds }) => (
            <tr key={name}><td>{name}</td><td class="number">{calls}</td><td class="number">{milliseconds(nanoseconds)}</td><td class="number">{((100 * nanoseconds) / sum).toFixed(1)} %</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Profiler(): JSX.Element {
  const { phase, info, label } = useStore(engine);
  const [profile, setProfile] = useState<Profile>();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const run = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      setProfile(await takeProfile(currentWisp(), TOKENS, new AbortController().signal));
    } catch (error) {
      noteFailure(error);
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="page">
      <h1>Profiler</h1>
      <p class="lead">Where the time of {TOKENS} tokens goes, layer by layer, and who holds the memory.</p>
      <LoadingCard />
      {phase === 'empty' && <button type="button" class="main" onClick={() => void loadShipped()}>Load the small model</button>}
      {phase === 'ready' && info && (
        <section class="card" aria-label="Take a profile">
          <h2>{label}</h2>
          <dl>
            <div><dt>Device</dt><dd>{info.executor}</dd></div>
            <div><dt>Start</dt><dd>{formatMilliseconds(info.loadMilliseconds)} in all, {formatMilliseconds(info.readyMilliseconds)} after the last byte</dd></div>
            {info.kernels > 0 && <div><dt>Kernels</dt><dd>{info.kernels} compiled, {info.knownKernels} of them known from an earlier visit</dd></div>}
            {profile && info.kernels > 0 && (
              <div>
                <dt>Kernels took</dt>
                <dd>{formatMilliseconds(profile.start.compileNanoseconds / 1e6)} to compile, {formatMilliseconds(profile.start.tuningNanoseconds / 1e6)} to measure and choose</dd>
              </div>
            )}
          </dl>
          <div class="row">
            <button type="button" class="main" aria-disabled={isBusy} onClick={() => void (isBusy || run())}>{isBusy ? 'Measuring…' : 'Take a profile'}</button>
            {profile && <button type="button" onClick={() => saveFile('wisp-profile.json', JSON.stringify({ info, ...profile }, null, 2), 'application/json')}>Save as JSON</button>}
          </div>
          {problem !== '' && <p class="error" role="alert">{problem}</p>}
        </section>
      )}
      {profile && (
        <>
          <section class="card" aria-label="Time">
            <h2>Time</h2>
            <p class="note">{formatMilliseconds(profile.milliseconds)} for {profile.tokens} tokens with measuring on, which costs some itself.</p>
            <p class="note">
              Weights were read at {profile.read.toFixed(2)} GB/s
              {profile.peak > 0 && `, ${((100 * profile.read) / profile.peak).toFixed(0)} % of the ${profile.peak.toFixed(1)} GB/s that the memory was measured to move here`}.
              A model that fits the caches can be faster than the memory.
            </p>
            <Layers profile={profile} />
            <Figures profile={profile} />
          </section>
          <section class="card" aria-label="Memory">
            <h2>Memory</h2>
            <dl>{profile.memory.map(([owner, bytes]) => <div key={owner}><dt>{owner === 'module' ? 'WebAssembly memory, in all' : owner}</dt><dd>{formatBytes(bytes)}</dd></div>)}</dl>
          </section>
        </>
      )}
    </div>
  );
}
