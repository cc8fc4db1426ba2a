// From one model of a repository or of an address to the files that have to be fetched, and the names that they are
// kept under.
import type { Remote } from './download.js';
import { isCount, MOST_FILE_BYTES, printable } from './bytes.js';
import { ModelError } from './error.js';
import type { HuggingFace } from './hugging_face.js';
import { bytesOf, fileName, groupModels, isSha256, type RemoteModel } from './listing.js';
import { canonicalName, isSafePath, parseModelName, type AddressName, type RepositoryName } from './name.js';
import { sha256 } from './sha256.js';
import type { EntryHeader } from './store.js';

export interface PlannedFile {
  readonly entry: string; // the entry's id
  readonly source: string;
  readonly path: string;
  readonly remote: Remote;
}

export interface Plan {
  readonly id: string;
  readonly name: string;
  readonly stem: string;
  readonly type: string;
  readonly why: string;
  readonly files: readonly PlannedFile[];
}

/** The path in its repository, or the file's name, of what a source names. */
export function pathOf(source: string): string {
  const name = parseModelName(source);
  return name.kind === 'repository' ? name.selection : fileName(name.address);
}

// Names of files in OPFS and on disks: a readable beginning, and what tells it apart.
function idOf(stem: string, source: string): string {
  const readable = fileName(stem)
    .replace(/[^\w.-]/g, '-')
    .slice(0, 60);
  return `${readable}-${sha256(new TextEncoder().encode(source)).slice(0, 16)}`;
}

const planOf = (
  model: RemoteModel,
  name: string,
  source: (path: string) => string,
  url: (path: string) => string,
  headers: (url: string) => Record<string, string>,
  shown: (path: string) => string,
  why: string,
): Plan => {
  const id = idOf(model.stem, `${source(model.files[0]!.path)}`);
  return {
    id,
    name,
    stem: model.stem,
    type: model.type,
    why,
    files: model.files.map(({ path, size, sha256: hash }, part) => ({
      entry: `${id}.${part}`,
      path,
      source: source(path),
      remote: { url: url(path), shown: shown(path), headers: headers(url(path)), size, sha256: hash },
    })),
  };
};

export function planRepository(hub: HuggingFace, name: RepositoryName, model: RemoteModel, why: string): Plan {
  if (!isCount(bytesOf(model), MOST_FILE_BYTES))
    throw new ModelError('invalid_file', `${printable(model.stem)} is too large`);
  const base: RepositoryName = { ...name, selection: '' };
  const canonical = (path: string) => canonicalName({ ...base, selection: path });
  return planOf(
    model,
    canonical(model.files[0]!.path),
    canonical,
    path => hub.fileUrl(name.repository, name.revision, path),
    url => hub.headersFor(url),
    path => `hf:${name.repository}:${path}`,
    why,
  );
}

/** An address has no list: its one file, or all parts where it names one of several. */
export function planAddress(hub: HuggingFace, name: AddressName, digits: string): Plan {
  const hash = digits.toLowerCase();
  if (hash !== '' && !isSha256(hash))
    throw new ModelError('invalid_argument', 'sha256 has to be 64 hexadecimal digits');
  let file = decoded(fileName(new URL(name.address).pathname));
  if (!isSafePath(file)) file = 'model.gguf';
  if (!/\.gguf$/i.test(file)) file += '.gguf';
  const found = groupModels([{ path: file, size: 0, sha256: hash }]).models[0];
  if (found === undefined)
    throw new ModelError('invalid_argument', `${printable(file)} goes with a model and is none by itself`);
  const folder = name.address.slice(0, name.address.lastIndexOf('/') + 1);
  const headers = (url: string) => hub.headersFor(url);
  if (found.parts === 1) {
    return planOf(
      found,
      name.address,
      () => name.address,
      () => name.address + name.query,
      headers,
      () => name.address,
      '',
    );
  }
  if (hash !== '') throw new ModelError('invalid_argument', `sha256 is for one file; this is one of ${found.parts}`);
  if (found.parts > 1000) throw new ModelError('limit', `${printable(file)} names more than 1000 parts`);
  const tail = file.slice(-'-of-00003.gguf'.length);
  const files = Array.from({ length: found.parts }, (_, index) => ({
    path: `${found.stem}-${String(index + 1).padStart(5, '0')}${tail}`,
    size: 0,
    sha256: '',
  }));
  const at = (path: string) => folder + encodeURIComponent(path);
  return planOf({ ...found, files }, at(files[0]!.path), at, path => at(path) + name.query, headers, at, '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function headerOf(
  plan: Plan,
  part: number,
  size: number,
  validator: string,
  pieceBytes: number,
  bytes: number,
): EntryHeader {
  const file = plan.files[part]!;
  const now = Date.now();
  return {
    format: 1,
    source: file.source,
    size,
    sha256: file.remote.sha256,
    validator,
    pieceBytes,
    model: {
      id: plan.id,
      name: plan.name,
      stem: plan.stem,
      type: plan.type,
      part,
      parts: plan.files.length,
      bytes,
      automatic: plan.why !== '',
    },
    created: now,
    lastUsed: now,
    complete: false,
  };
}
