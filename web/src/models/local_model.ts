// Bytes of the user: files that were picked, or arrays. They are read where they are, and never kept.
import { isCount, MOST_FILE_BYTES, printable } from './bytes.js';
import { ModelError, cancelled, throwIfAborted } from './error.js';
import { nodeModule, openNodeFile } from './folder_node.js';
import { parsePart, typeInName } from './listing.js';
import { checkRange, type Completed, type ModelFile, type OpenedModel } from './opened.js';
import type { ProgressMeter } from './progress.js';

/**
 * A file of the user: read where it is, and never kept.
 * @category Loading
 */
export type LocalFile = Blob | PickedFile | NamedFile;

/**
 * What gives a file: a `FileSystemFileHandle`, as pickers of files give it.
 * @category Loading
 */
export interface PickedFile {
  /** The file as it is now. */
  getFile(): Promise<Blob>;
}

/**
 * Bytes with the name that their file has: parts of a split model are told by their names.
 * @category Loading
 */
export interface NamedFile {
  /** "model-00001-of-00003.gguf" */
  name: string;
  /** The file's bytes. */
  blob: Blob;
}

interface Bytes {
  readonly name: string;
  readonly size: number;
  slice(start: number, end: number): Promise<ArrayBuffer>;
  close?(): void | Promise<void>;
}

const withoutEnding = (name: string): string => name.replace(/\.gguf$/i, '');

/** What was given in place of a file, for people. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  return `an object of the kind ${printable(Object.prototype.toString.call(value).slice('[object '.length, -1))}`;
}

/** Nothing where it is no file after all: callers may be JavaScript. */
async function blobOf(file: LocalFile | undefined): Promise<Blob | undefined> {
  if (file instanceof Blob) return file;
  if (typeof file !== 'object' || file === null) return undefined;
  return 'blob' in file ? file.blob : file.getFile?.();
}

async function bytesOfFile(file: LocalFile): Promise<Bytes> {
  const blob = await blobOf(file);
  if (!(blob instanceof Blob)) {
    throw new ModelError(
      'invalid_argument',
      `a model cannot be read from ${kindOf(file)}; give a name, an address, a File, a Blob or bytes`,
    );
  }
  const named = ('blob' in file ? file : blob) as { name?: unknown };
  const name = typeof named.name === 'string' ? named.name : 'model.gguf';
  return { name, size: blob.size, slice: (start, end) => blob.slice(start, end).arrayBuffer() };
}

/** All parts of one model in their order, whichever order they were picked in. */
function inOrder(files: readonly Bytes[]): readonly Bytes[] {
  if (files.length === 0) throw new ModelError('invalid_argument', 'no file was given');
  const parts = files.map(file => ({ file, part: parsePart(withoutEnding(file.name)) }));
  const first = parts[0]!.part;
  if (files.length === 1 && first === undefined) return files;
  if (first === undefined || parts.some(({ part }) => part?.stem !== first.stem || part.count !== first.count)) {
    throw new ModelError(
      'invalid_argument',
      `these files are not the parts of one model: ${printable(files.map(({ name }) => name).join(', '), 300)}`,
    );
  }
  const numbers = new Set(parts.map(({ part }) => part!.number));
  if (files.length !== first.count || numbers.size !== first.count) {
    throw new ModelError(
      'invalid_argument',
      `the model ${printable(first.stem)} has ${first.count} parts, and ${numbers.size} were given; pick all of them`,
    );
  }
  return parts.sort((a, b) => a.part!.number - b.part!.number).map(({ file }) => file);
}

export async function openLocal(
  source: ArrayBufferLike | ArrayBufferView | LocalFile | readonly LocalFile[],
  progress: ProgressMeter,
): Promise<OpenedModel> {
  const isShared = typeof SharedArrayBuffer !== 'undefined' && source instanceof SharedArrayBuffer;
  if (source instanceof ArrayBuffer || isShared || ArrayBuffer.isView(source)) {
    // Any view: its bytes, whatever it counts in.
    const view = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    const bytes: Bytes = {
      name: 'model.gguf',
      size: view.byteLength,
      slice: async (start, end) => view.slice(start, end).buffer as ArrayBuffer,
    };
    return new LocalModel([bytes], progress);
  }
  const files = Array.isArray(source) ? (source as readonly LocalFile[]) : [source as LocalFile];
  return new LocalModel(inOrder(await Promise.all(files.map(bytesOfFile))), progress);
}

/** What names a place on the disk, and neither a repository nor an address. */
const isPath = (text: string): boolean => /^(\.{0,2}[\\/]|[a-z]:[\\/])/i.test(text);

/** In Node: whatever exists as a file is one, as it is for the command. */
export async function pathOnDisk(source: string | URL): Promise<string | undefined> {
  const fs = nodeModule('node:fs/promises');
  if (fs === undefined) return undefined;
  const isFileUrl = String(source).startsWith('file:');
  if (source instanceof URL && !isFileUrl) return undefined;
  const path = isFileUrl ? nodeModule('node:url')!.fileURLToPath(source) : String(source);
  if (isFileUrl) return path;
  const status = await fs.stat(path).catch(() => undefined);
  if (status?.isFile()) return path;
  if (!isPath(path)) return undefined;
  const why = status ? 'is no file' : 'is not there';
  throw new ModelError('not_found', `${printable(path, 300)} ${why}; a path has to name a GGUF file`);
}

/** All parts of a split model, whichever of them was named. */
export async function openPath(path: string, progress: ProgressMeter): Promise<OpenedModel> {
  const part = parsePart(withoutEnding(path));
  if (part !== undefined && part.count > 1000)
    throw new ModelError('limit', `${printable(path, 300)} names more than 1000 parts`);
  const paths = part === undefined ? [path] : partPaths(part.stem, part.count, path.slice(-'-of-00003.gguf'.length));
  const files: Bytes[] = [];
  try {
    for (const one of paths) files.push(await bytesOfPath(one));
    return new LocalModel(files, progress);
  } catch (error) {
    for (const file of files) await file.close?.();
    throw error;
  }
}

const partPaths = (stem: string, count: number, tail: string): string[] =>
  Array.from({ length: count }, (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}${tail}`);

async function bytesOfPath(path: string): Promise<Bytes> {
  try {
    const file = await openNodeFile(path);
    return {
      name: path.slice(path.lastIndexOf('/') + 1),
      size: await file.size(),
      slice: async (start, end) => {
        const bytes = new Uint8Array(end - start);
        const count = await file.read(bytes, start);
        return count === bytes.length ? bytes.buffer : bytes.buffer.slice(0, count);
      },
      close: () => file.close(),
    };
  } catch (error) {
    throw new ModelError('not_found', `${printable(path, 300)} cannot be opened: ${ModelError.from(error).message}`, {
      cause: error,
    });
  }
}

class LocalModel implements OpenedModel {
  readonly id = '';
  readonly why = '';
  readonly kept = false;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly files: readonly ModelFile[];
  private closed = false;
  private readBytes = 0;

  constructor(
    private readonly sources: readonly Bytes[],
    private readonly progress: ProgressMeter,
  ) {
    this.name = sources[0]!.name;
    this.type = typeInName(this.name);
    this.size = sources.reduce((sum, { size }) => sum + size, 0);
    if (sources.some(({ size }) => !isCount(size, MOST_FILE_BYTES))) {
      throw new ModelError('invalid_argument', `${printable(this.name)} is too large`);
    }
    this.files = sources.map(file => this.open(file));
  }

  want(): void {}
  distrust(): void {}

  complete(): Promise<Completed> {
    return Promise.resolve({ verified: false, received: 0, resumed: this.size });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const file of this.sources) await file.close?.();
  }

  private open(file: Bytes): ModelFile {
    let end = 0; // a loader reads onwards; what it reads twice counts once
    return {
      name: file.name,
      size: file.size,
      etag: '',
      sha256: '',
      has: (offset, count) => {
        checkRange(file.name, file.size, offset, count);
        return true;
      },
      read: async (offset, count, signal) => {
        checkRange(file.name, file.size, offset, count);
        throwIfAborted(signal);
        if (this.closed) throw cancelled();
        let bytes: ArrayBuffer;
        try {
          bytes = await file.slice(offset, offset + count);
        } catch (error) {
          // Browsers look at the date of a file that was picked.
          throw new ModelError(
            'io',
            `${printable(file.name)} cannot be read: it was changed, moved or removed since it was picked`,
            { cause: error },
          );
        }
        if (bytes.byteLength !== count) throw new ModelError('io', `${printable(file.name)} has become shorter`);
        this.readBytes += Math.max(0, offset + count - Math.max(end, offset));
        end = Math.max(end, offset + count);
        this.progress.tell('reading', this.readBytes, this.size, this.readBytes);
        return new Uint8Array(bytes);
      },
    };
  }
}
