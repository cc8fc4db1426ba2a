// Numbers of bytes. JavaScript's numbers are exact up to 2^53; no file here may have more than 2^50 bytes and no model
// more parts than a thousand, so every offset, size and sum of a file is exact, and what comes from outside is checked
// for that once, here.

/** An array over memory of its own. So written that compilers before TypeScript 5.7, where arrays name no memory, read it too. */
export type OwnBytes = ReturnType<Uint8Array['slice']>;

export const MOST_FILE_BYTES = 2 ** 50;

/** A whole number from 0 to `most`, whatever `value` is. */
export const isCount = (value: unknown, most: number = Number.MAX_SAFE_INTEGER): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;

/** Decimal digits as a count; nothing for all else. */
export function parseCount(text: string, most: number = MOST_FILE_BYTES): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return isCount(value, most) ? value : undefined;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** "700 B", "1.2 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit + 1 < UNITS.length) {
    value /= 1024;
    ++unit;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** A stranger's text made fit for a message. */
export function printable(text: string, most = 80): string {
  const clean = text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return clean.length <= most ? clean : `${clean.slice(0, most)}...`;
}
