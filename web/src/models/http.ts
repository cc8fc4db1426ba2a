// The text of HTTP: header values that a server may have got wrong, and how long to be patient with it.
import { isCount, parseCount, printable } from './bytes.js';
import { ModelError } from './error.js';

export interface Patience {
  readonly stall: number; // ms without a byte; then the connection is given up
  readonly pause: number; // ms before the first retry; doubles each time
  readonly mostWait: number; // ms; a server that asks for more (Retry-After) is told to the user instead
  readonly retries: number; // in a row, without progress
}

export const DEFAULT_PATIENCE: Patience = { stall: 30_000, pause: 500, mostWait: 120_000, retries: 5 };

/**
 * Milliseconds before retry number `failures` (1, 2, ...). Up to half as much again by chance, so that pages which
 * broke off together do not come back together.
 */
export const pauseBeforeRetry = (patience: Patience, failures: number, chance: number = Math.random()): number =>
  patience.pause * 2 ** Math.min(Math.max(failures - 1, 0), 6) * (1 + chance / 2);

export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number;
}

export function parseContentRange(text: string): ContentRange | undefined {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(text.trim());
  if (found === null) return undefined;
  const [first, last, total] = found.slice(1).map(digits => parseCount(digits));
  if (first === undefined || last === undefined || total === undefined || first > last || last >= total)
    return undefined;
  return { first, last, total };
}

/** Milliseconds; seconds or a date. */
export function parseRetryAfter(text: string, now: number = Date.now()): number | undefined {
  const trimmed = text.trim();
  const MOST = 1e9;
  if (/^\d{1,9}$/.test(trimmed)) return Math.min(Number(trimmed) * 1000, MOST);
  // Date.parse() would take almost anything.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(trimmed)) return undefined;
  const wait = Date.parse(trimmed) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MOST);
}

/** What may go by itself, if one asks later. */
export const isPassingStatus = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505);

export function describeStatus(status: number, place: string, hasToken: boolean): ModelError {
  const refused = (sentence: string) => new ModelError('not_found', `${place}: ${sentence}`, { status });
  switch (status) {
    case 401:
      return refused(
        hasToken
          ? 'the server does not accept the token (401)'
          : 'this is private, gated or not there (401); a token may open it',
      );
    case 403:
      return refused(
        `access is refused (403); ${
          hasToken ? "the token's owner may have to accept the model's conditions on its page" : 'a token may open it'
        }`,
      );
    case 404:
    case 410:
      return refused(`there is no such thing (${status}); look at the name`);
    case 429:
      return new ModelError('io', `${place}: too many requests (429); try again later`, { status });
    default:
      return new ModelError(
        'io',
        `${place}: the server answers with status ${status}${status >= 500 ? '; try again later' : ''}`,
        { status },
      );
  }
}

/**
 * What tells whether two answers are of the same bytes: a strong ETag, else the date. A weak ETag does not tell it.
 * ETags may be hidden from a page by the server's CORS headers; the date is not, by the rules of CORS.
 */
export function validatorOf(headers: Headers): string {
  const etag = headers.get('etag') ?? '';
  return etag.startsWith('"') ? etag : (headers.get('last-modified') ?? '');
}

/**
 * The one to remember; '' where it would not show every change: within the second in which it was sent the file may have
 * changed once more (RFC 9110, 8.8.2.2). A server that calls the time of the answer that of the file tells nothing either.
 */
export function lastingValidatorOf(headers: Headers): string {
  const validator = validatorOf(headers);
  const age = Date.parse(headers.get('date') ?? '') - Date.parse(validator);
  return !validator.startsWith('"') && age < 1000 ? '' : validator;
}

/** Whether two validators can tell a change: an ETag and a date have nothing to do with each other. */
export const canCompare = (a: string, b: string): boolean =>
  a !== '' && b !== '' && a.startsWith('"') === b.startsWith('"');

/** The length of the answer's body, where it is told and means the bytes that we get. */
export function contentLength(headers: Headers): number | undefined {
  const length = parseCount(headers.get('content-length') ?? '');
  return isCount(length) && encodingOf(headers) === '' ? length : undefined;
}

/** "gzip" where the bytes were sent compressed, though ranges of them were asked for. */
export function encodingOf(headers: Headers): string {
  const encoding = (headers.get('content-encoding') ?? '').trim().toLowerCase();
  return encoding === 'identity' ? '' : printable(encoding);
}

/** "a b/c" as a path of an address; its slashes stay. */
export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
