// What a repository holds: which of its files are models, of which type, and which one a name means. The rules are
// those of `wisp pull` (hub/listing.cpp).
import { formatBytes, isCount, MOST_FILE_BYTES, printable } from './bytes.js';
import { ModelError } from './error.js';
import { isSafePath } from './name.js';

export interface RemoteFile {
  readonly path: string; // in the repository; isSafePath()
  readonly size: number; // 0: the server will tell
  readonly sha256: string; // 64 hexadecimal digits in lower case; '' where it is not told
}

/** One model: a file, or all parts of a split one in their order. */
export interface RemoteModel {
  readonly stem: string; // the path without ".gguf" and without part numbers
  readonly type: string; // "Q4_K_M", upper case; '' where the name tells none
  readonly parts: number; // that the names promise; more than files.length where some are missing
  readonly files: readonly RemoteFile[];
}

export interface Listing {
  readonly models: readonly RemoteModel[]; // largest first
  readonly others: readonly string[]; // GGUF files that are no models by themselves: projectors, importance matrices
}

const MOST_FILES = 100_000;

export const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const bytesOf = (model: { files: readonly { size: number }[] }): number =>
  model.files.reduce((sum, file) => sum + file.size, 0);
export const isComplete = (model: RemoteModel): boolean => model.files.length === model.parts;

// "Q4_K_M", "IQ2_XXS", "TQ1_0", "Q4_0_4_8": a width and what follows it by underscores.
const BLOCK_TYPE = /^[IT]?Q[1-9](_(0|1|4|8|K|S|M|L|XS|XXS|XL|XXL|NL|P))*$/;
const PLAIN_TYPES = new Set(['BF16', 'MXFP4', 'MXFP4_MOE', 'NVFP4']);

// `word` in upper case as a type, or ''.
function asType(word: string): string {
  if (word === 'F16' || word === 'FP16') return 'F16';
  if (word === 'F32' || word === 'FP32') return 'F32';
  return PLAIN_TYPES.has(word) || BLOCK_TYPE.test(word) ? word : '';
}

interface PartName {
  readonly stem: string;
  readonly number: number;
  readonly count: number;
}

/** "stem-00001-of-00003" (without ".gguf"). */
export function parsePart(name: string): PartName | undefined {
  const found = /^(.+)-(\d{5})-of-(\d{5})$/is.exec(name);
  if (found === null) return undefined;
  const number = Number(found[2]);
  const count = Number(found[3]);
  return number >= 1 && number <= count ? { stem: found[1]!, number, count } : undefined;
}

/**
 * The type in a file's name: "Q4_K_M" of "dir/Model-1B.q4_k_m.gguf"; the last one where there are several; '' for none.
 */
export function typeInName(path: string): string {
  let text = path.toUpperCase();
  if (text.endsWith('.GGUF')) text = text.slice(0, -5);
  text = parsePart(text)?.stem ?? text;
  const words = text.split(/[-./ ]/);
  for (let index = words.length - 1; index >= 0; --index) {
    // A type starts where a word does, or behind one of its underscores: "model_q4_0" too.
    const pieces = words[index]!.split('_');
    for (let from = 0; from < pieces.length; ++from) {
      const type = asType(pieces.slice(from).join('_'));
      if (type === '') continue;
      const isDynamic = from === 0 && words[index - 1] === 'UD' && text[words.slice(0, index).join(' ').length] === '-';
      return isDynamic ? `UD-${type}` : type;
    }
  }
  return '';
}

// Files that go with a model and are none.
function isCompanion(path: string): boolean {
  const name = fileName(path).toUpperCase();
  return /MMPROJ|IMATRIX|LORA/.test(name) || name.startsWith('GGML-VOCAB');
}

export const isSha256 = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

// A file of the tree, where it is a GGUF one.
function readEntry(entry: unknown): RemoteFile | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { type, path, size, lfs } = entry as Record<string, unknown>;
  if (type !== 'file' || typeof path !== 'string' || !/\.gguf$/i.test(path) || !isSafePath(path)) return undefined;
  const { size: realSize, oid } = (typeof lfs === 'object' && lfs !== null ? lfs : {}) as Record<string, unknown>;
  // Some servers give the pointer's size outside.
  const bytes = isCount(realSize) ? realSize : size;
  if (!isCount(bytes, MOST_FILE_BYTES)) return undefined;
  const hash = typeof oid === 'string' ? oid.replace(/^sha256:/, '') : '';
  return { path, size: bytes, sha256: isSha256(hash) ? hash : '' };
}

/**
 * Adds a page of the answer of .../tree/REVISION?recursive=true. Files that are not GGUF, and paths that are not safe,
 * are left out.
 */
export function addTreePage(page: unknown, files: RemoteFile[]): void {
  if (!Array.isArray(page)) throw new ModelError('invalid_file', 'the list of files is not a JSON array');
  for (const entry of page) {
    const file = readEntry(entry);
    if (file === undefined) continue;
    if (files.length === MOST_FILES)
      throw new ModelError('limit', `the repository lists more than ${MOST_FILES} files`);
    files.push(file);
  }
}

export function groupModels(files: readonly RemoteFile[]): Listing {
  const others: string[] = [];
  const groups = new Map<string, { stem: string; type: string; parts: number; files: RemoteFile[] }>();
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const file of sorted) {
    if (isCompanion(file.path)) {
      others.push(file.path);
      continue;
    }
    const name = file.path.slice(0, -'.gguf'.length);
    const part = parsePart(name);
    const stem = part?.stem ?? name;
    const key = `${part?.count ?? 0} ${stem}`;
    let model = groups.get(key);
    if (model === undefined)
      groups.set(key, (model = { stem, type: typeInName(file.path), parts: part?.count ?? 1, files: [] }));
    if (model.files.at(-1)?.path !== file.path) model.files.push(file);
  }
  const models = [...groups.values()].sort((a, b) => bytesOf(b) - bytesOf(a) || (a.stem < b.stem ? -1 : 1));
  return { models, others };
}

/** "Q8_0", or the stem where the type is not told. */
export const shortType = (model: { type: string; stem: string }): string =>
  printable(model.type === '' ? model.stem : model.type);

/** "Q8_0 (1.2 GiB), Q4_K_M (700.0 MiB)": for messages. */
export function describeModels(models: readonly RemoteModel[]): string {
  const MOST = 30;
  const names = models
    .slice(0, MOST)
    .map(model => `${shortType(model)} (${formatBytes(bytesOf(model))})`)
    .join(', ');
  return models.length > MOST ? `${names} and ${models.length - MOST} more` : names;
}

/** The model that `selection` names: a path, a file's name, or a type, in any case. */
export function selectModel(listing: Listing, selection: string): RemoteModel {
  const wanted = selection.toUpperCase();
  const type = asType(wanted) || wanted;
  const is = (path: string) => path.toUpperCase() === wanted;
  // The most exact meaning that something has: a path or a stem, a file's name, a type, a type without its "UD-".
  const meanings: ((model: RemoteModel) => boolean)[] = [
    model => is(model.stem) || model.files.some(file => is(file.path)),
    model => is(fileName(model.stem)) || model.files.some(file => is(fileName(file.path))),
    model => model.type === type,
    model => model.type === `UD-${type}`,
  ];
  const found = meanings.map(fits => listing.models.filter(fits)).find(models => models.length > 0) ?? [];
  const [model, ...more] = found;
  if (model === undefined) {
    throw new ModelError(
      'not_found',
      listing.models.length === 0
        ? 'the repository holds no model in GGUF files'
        : `there is no '${printable(selection)}'; there are ${describeModels(listing.models)}`,
    );
  }
  if (more.length > 0) {
    const names = found.map(one => one.files[0]!.path).join(', ');
    throw new ModelError(
      'invalid_argument',
      `'${printable(selection)}' may be any of ${printable(names, 600)}; name the file`,
    );
  }
  if (!isComplete(model)) {
    throw new ModelError(
      'invalid_file',
      `${printable(model.stem, 200)} has ${model.files.length} of its ${model.parts} parts in the repository`,
    );
  }
  return model;
}
