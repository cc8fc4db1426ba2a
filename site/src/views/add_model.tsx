// A model from the disk, from an address, or from Hugging Face, where the types of a repository can be seen first.
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

import { loadFile, loadModel, messageOf, withStored } from '../engine.js';
import { formatBytes } from '../format.js';
import { Icon } from './icon.js';

interface Candidate { name: string; stem: string; type: string; bytes: number; parts: number; stored: boolean }

const isAddress = (name: string): boolean => /^https?:\/\//.test(name);
const shortName = (name: string): string => name.split(/[?#]/)[0]!.split('/').at(-1)!.replace(/\.gguf$/i, '') || name;
const fileOf = (stem: string): string => stem.split('/').at(-1)!;
const repositoryOf = (name: string): string => name.replace(/^hf:/, '').replace(/:.*$/, '');

// What is known before a download: a model on the CPU has to lie in 4 GB of WebAssembly memory. Whether it fits the GPU the engine finds out.
const CPU_LIMIT = 3.6e9;

function Candidates({ repository, list }: { repository: string; list: readonly Candidate[] }): JSX.Element {
  return (
    <div class="table candidates" tabIndex={0} role="region" aria-label="Types">
      <table>
        <caption>Types of {repository}; the engine picks the largest that fits when you take the repository without a type.</caption>
        <thead><tr><th scope="col">Type</th><th scope="col" class="number">Size</th><th scope="col">Fits</th><th scope="col"><span class="hidden">Load</span></th></tr></thead>
        <tbody>
          {list.map(({ name, stem, type, bytes, parts, stored }) => (
            <tr key={name}>
              <td>{type || fileOf(stem)}{parts > 1 && ` (${parts} files)`}</td>
              <td class="number">{formatBytes(bytes)}</td>
              <td>{stored ? 'stored' : bytes > CPU_LIMIT ? 'GPU only' : 'GPU or CPU'}</td>
              <td><button type="button" onClick={() => void loadModel(name, fileOf(stem))}>Load</button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function AddModel(): JSX.Element {
  const picker = useRef<HTMLInputElement>(null);
  const [name, setName] = useState('');
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState('');
  const [found, setFound] = useState<{ repository: string; list: Candidate[] }>();
  const trimmed = name.trim();
  const look = async (): Promise<void> => {
    setAsking(true);
    setProblem('');
    setFound(undefined);
    try {
      const repository = repositoryOf(trimmed);
      setFound({ repository, list: await withStored(stored => stored.quantisations(repository)) });
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setAsking(false);
    }
  };
  return (
    <section class="card add" aria-label="Add a model">
      <h2>Your own model</h2>
      <div class="row">
        <button type="button" onClick={() => picker.current?.click()}><Icon name="plus" />Open a GGUF file…</button>
        <span class="note wide">or drop one on this page. It is read from your disk and not uploaded.</span>
        <input ref={picker} class="hidden" type="file" accept=".gguf" tabIndex={-1} aria-label="GGUF file" onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          currentTarget.value = ''; // the same file may be opened again
          if (file) void loadFile(file);
        }} />
      </div>
      <form class="row" onSubmit={event => { event.preventDefault(); if (trimmed) void loadModel(trimmed, shortName(trimmed)); }}>
        <input type="text" class="grow" aria-label="Hugging Face repository or address" placeholder="owner/repo, owner/repo:Q4_K_M or https://…" value={name}
          autocapitalize="off" autocomplete="off" spellcheck={false} onInput={({ currentTarget }) => setName(currentTarget.value)} />
        {!isAddress(trimmed) && <button type="button" disabled={trimmed === '' || isAsking} onClick={() => void look()}>{isAsking ? 'Asking…' : 'Show types'}</button>}
        <button type="submit" class="main" disabled={trimmed === ''}>Load</button>
      </form>
      {problem !== '' && <p class="error" role="alert">{problem}</p>}
      {found && <Candidates {...found} />}
    </section>
  );
}
