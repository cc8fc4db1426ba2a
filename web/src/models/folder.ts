// A folder of files that can be written anywhere: what OPFS and a disk have in common.

/**
 * Counts may be synchronous: a sync access handle answers at once, and a wait for each piece would cost more than the
 * piece.
 */
export interface RandomFile {
  /** How many bytes were read: fewer than asked for only at the end. */
  read(into: Uint8Array, at: number): number | Promise<number>;
  /** All of them, or an error. */
  write(bytes: Uint8Array, at: number): void | Promise<void>;
  flush(): void | Promise<void>;
  size(): number | Promise<number>;
  close(): void | Promise<void>;
}

export interface Folder {
  names(): Promise<string[]>;
  /**
   * Nothing where there is no such file. `create` empties one that is there. Several may `read`, also while one writes.
   */
  open(name: string, access: 'read' | 'write' | 'create'): Promise<RandomFile | undefined>;
  /** Nothing happens where it is not there. */
  remove(name: string): Promise<void>;
}

/** All bytes of a file; nothing where it is not there. */
export async function readWhole(folder: Folder, name: string, most: number): Promise<Uint8Array | undefined> {
  const file = await folder.open(name, 'read');
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(Math.min(await file.size(), most));
    const count = await file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}
