// How fast this device runs the model, and whether it computes right.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { measureBandwidth } from '../bench/bandwidth.js';
import { drawResult } from '../bench/image.js';
import { compareNumerics } from '../bench/numerics.js';
import { bestOf, forgetResult, gigabytesPerSecond, keepResult, readResults, resultOf, type Result } from '../bench/results.js';
import { measureSpeed, type Row } from '../bench/run.js';
import { currentWisp, engine, isAbort, messageOf, noteFailure } from '../engine.js';
import { formatMilliseconds, formatRate, formatWhen } from '../format.js';
import { useStore } from '../store.js';
import { saveFile } from './copy.js';
import { IconButton } from './icon.js';
import { LoadingCard, loadShipped } from './progress.js';

function Rows({ rows, bytes, bandwidth }: { rows: readonly Row[]; bytes: number; bandwidth: number }): JSX.Element {
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Speed">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">Tokens before</th><th scope="col" class="number">Prompt, tokens/s</th><th scope="col" class="number">First token</th>
            <th scope="col" class="number">Answer, tokens/s</th><th scope="col" class="number">Weights read</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ size, prefill, decode, firstMilliseconds }) => (
            <tr key={size}>
              <td class="number">{size}</td><td class="number">{formatRate(prefill)}</td><td class="number">{formatMilliseconds(firstMilliseconds)}</td>
              <td class="number">{formatRate(decode)}</td><td class="number">
                {gigabytesPerSecond({ bytes }, decode).toFixed(2)} GB/s{bandwidth > 0 && ` (${((100 * gigabytesPerSecond({ bytes }, decode)) / bandwidth).toFixed(0)} %)`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Leaderboard({ results, onChange }: { results: readonly Result[]; onChange: () => void }): JSX.Element {
  const table = useRef<HTMLDivElement>(null);
  return (
    <section class="card" aria-label="Results on this device">
      <h2>On this device</h2>
      <div ref={table} class="table" tabIndex={0} role="region" aria-label="Earlier results">
        <table>
          <thead>
            <tr><th scope="col">Model</th><th scope="col">Device</th><th scope="col" class="number">Prompt</th><th scope="col" class="number">Answer</th><th scope="col">When</th><th scope="col"><span class="hidden">Do</span></th></tr>
          </thead>
          <tbody>
            {results.map(result => (
              <tr key={result.id}>
                <td>{result.model} {result.type}</td><td title={result.executor}>{result.device === 'gpu' ? 'GPU' : `CPU, ${result.threads}`} · {result.browser}</td>
                <td class="number">{formatRate(bestOf(result.rows, 'prefill'))}</td><td class="number">{formatRate(bestOf(result.rows, 'decode'))}</td>
                <td>{formatWhen(result.time)}</td>
                <td class="do">
                  <IconButton name="save" label={`Save the result of ${result.model} as JSON`} onClick={() => saveFile('wisp-benchmark.json', JSON.stringify(result, null, 2), 'application/json')} />
                  <IconButton name="trash" label={`Forget the result of ${result.model}`} onClick={() => {
                    table.current?.focus(); // the button goes with its row
                    void forgetResult(result.id).then(onChange, onChange);
                  }} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Benchmark(): JSX.Element {
  const { phase, info, label } = useStore(engine);
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [bandwidth, setBandwidth] = useState(0);
  const [doing, setDoing] = useState('');
  const [problem, setProblem] = useState('');
  const [result, setResult] = useState<Result>();
  const [results, setResults] = useState<Result[]>([]);
  const abort = useRef<AbortController | undefined>(undefined);
  const readAgain = (): void => void readResults().then(setResults, () => {});
  useEffect(() => {
    readAgain();
    return () => abort.current?.abort();
  }, []);

  const run = async (): Promise<void> => {
    const mine = (abort.current = new AbortController());
    setProblem('');
    setResult(undefined);
    setRows([]);
    setDoing('Measuring the memory');
    try {
      const wisp = currentWisp();
      const moved = await measureBandwidth(wisp.info());
      setBandwidth(moved);
      setDoing('Measuring');
      const measured = await measureSpeed(wisp, (done, left) => { setRows([...done]); setDoing(`Measuring, ${left} sizes left`); }, mine.signal);
      setDoing('Comparing numbers');
      let numerics;
      try {
        numerics = await compareNumerics(wisp, mine.signal);
      } catch (error) {
        if (mine.signal.aborted) throw error;
        setProblem(`The numbers were not compared: ${messageOf(error)}`);
      }
      const made = resultOf(wisp.info(), measured, moved, numerics);
      setResult(made);
      await keepResult(made);
      readAgain();
    } catch (error) {
      noteFailure(error);
      if (!isAbort(error)) setProblem(messageOf(error));
    } finally {
      setDoing('');
    }
  };
  const share = async (made: Result): Promise<void> => {
    const picture = await drawResult(made);
    const file = new File([picture], 'wisp-benchmark.png', { type: 'image/png' });
    if (navigator.canShare?.({ files: [file] })) await navigator.share({ files: [file], title: 'wisp' }).catch(() => {});
    else saveFile(file.name, picture);
  };

  return (
    <div class="page">
      <h1>Benchmark</h1>
      <p class="lead">Speed of the loaded model in this page, and whether the device computes what the CPU does. Nothing is sent anywhere.</p>
      <LoadingCard />
      {phase === 'empty' && <button type="button" class="main" onClick={() => void loadShipped()}>Load the small model</button>}
      {phase === 'ready' && info && (
        <section class="card" aria-label="Measure">
          <h2>{label}</h2>
          <p class="note">{info.executor}</p>
          <div class="row">
            {/* One button, which keeps the focus. */}
            <button type="button" class={doing === '' ? 'main' : ''} onClick={() => (doing === '' ? void run() : abort.current?.abort())}>{doing === '' ? 'Measure' : 'Stop'}</button>
            <span class="note" role="status">{doing !== '' && `${doing}…`}</span>
          </div>
          {problem !== '' && <p class="error" role="alert">{problem}</p>}
          {rows.length > 0 && <Rows rows={rows} bytes={info.model.bytes} bandwidth={bandwidth} />}
          {rows.length > 0 && bandwidth > 0 && (
            <p class="note">
              The memory moves {bandwidth.toFixed(1)} GB/s here, measured by reading and copying. Every token reads all weights once; a model that fits the caches can be faster than the memory.
            </p>
          )}
          {result?.numerics && (
            <p class={result.numerics.equal === result.numerics.compared ? 'good' : 'error'}>
              {result.numerics.equal === result.numerics.compared ? 'Equal' : `Different from token ${result.numerics.equal + 1} on`}: {result.numerics.text}.
              Log-probabilities differ by at most {result.numerics.worst.toExponential(1)}.
            </p>
          )}
          {result && (
            <div class="row">
              <button type="button" onClick={() => saveFile('wisp-benchmark.json', JSON.stringify(result, null, 2), 'application/json')}>Save as JSON</button>
              <button type="button" onClick={() => void share(result)}>Picture</button>
            </div>
          )}
        </section>
      )}
      {results.length > 0 && <Leaderboard results={results} onChange={readAgain} />}
    </div>
  );
}
