// Hugging Face, or a mirror in its place: where its lists and files are, and who may see the token.
import { printable } from './bytes.js';
import { cancelled, ModelError } from './error.js';
import {
  describeStatus,
  encodePath,
  isPassingStatus,
  parseRetryAfter,
  pauseBeforeRetry,
  type Patience,
} from './http.js';
import { addTreePage, groupModels, type Listing, type RemoteFile } from './listing.js';
import type { RepositoryName } from './name.js';
import { sleep, withTimeout } from './waiting.js';

export interface HuggingFaceOptions {
  readonly endpoint: string; // without a slash at its end
  readonly token: string;
  readonly patience: Patience;
  readonly fetch: typeof fetch;
}

const MOST_PAGES = 200;
const MOST_PAGE_CHARACTERS = 64 << 20;

export class HuggingFace {
  constructor(private readonly options: HuggingFaceOptions) {
    if (options.token !== '' && !/^[\x21-\x7e]{1,4096}$/.test(options.token)) {
      throw new ModelError('invalid_argument', 'the token holds characters that no token has');
    }
    if (!/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(options.endpoint)) {
      throw new ModelError('invalid_argument', 'the endpoint is not an address such as https://huggingface.co');
    }
  }

  treeUrl(repository: string, revision: string): string {
    return `${this.options.endpoint}/api/models/${repository}/tree/${encodeURIComponent(revision)}?recursive=true`;
  }

  fileUrl(repository: string, revision: string, path: string): string {
    return `${this.options.endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${encodePath(path)}`;
  }

  /**
   * The token's header for addresses at the endpoint, nothing for all others; browsers drop it where they are
   * redirected away.
   */
  headersFor(url: string): Record<string, string> {
    const isOurs = new URL(url).origin === new URL(this.options.endpoint).origin;
    return isOurs && this.options.token !== '' ? { Authorization: `Bearer ${this.options.token}` } : {};
  }

  /** All pages of what a repository lists. */
  async list(name: RepositoryName, signal?: AbortSignal): Promise<Listing> {
    const files: RemoteFile[] = [];
    const place = `hf:${name.repository}`;
    let url = this.treeUrl(name.repository, name.revision);
    for (let page = 0; page < MOST_PAGES; ++page) {
      const { text, next } = await this.getPage(url, place, signal);
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        throw new ModelError(
          'invalid_file',
          `${place}: ${printable(this.options.endpoint, 200)} answers with no list of files`,
        );
      }
      addTreePage(json, files);
      if (next === '') return groupModels(files);
      const following = this.atEndpoint(next);
      if (following === url) break;
      url = following;
    }
    throw new ModelError('invalid_file', `${place}: the list of its files does not end`);
  }

  // The next page is asked of the endpoint, whatever host a mirror's list names: it is the one that may see the token.
  private atEndpoint(link: string): string {
    const url = new URL(link, this.options.endpoint);
    return new URL(this.options.endpoint).origin === url.origin
      ? url.href
      : `${this.options.endpoint}${url.pathname}${url.search}`;
  }

  private async getPage(
    url: string,
    place: string,
    signal: AbortSignal | undefined,
  ): Promise<{ text: string; next: string }> {
    const { patience } = this.options;
    for (let failures = 1; ; ++failures) {
      let error: ModelError;
      let asked = 0;
      try {
        const { value, answer } = await withTimeout(patience.stall, signal, async inner => {
          const got = await this.options.fetch(url, {
            headers: this.headersFor(url),
            signal: inner,
            cache: 'no-store',
            referrerPolicy: 'no-referrer',
          });
          return { answer: got, value: got.ok ? await got.text() : '' };
        });
        if (answer.ok) {
          if (value.length > MOST_PAGE_CHARACTERS)
            throw new ModelError('limit', `${place}: the list of its files is too long`);
          return {
            text: value,
            next: /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get('link') ?? '')?.[1] ?? '',
          };
        }
        error = describeStatus(answer.status, place, this.options.token !== '');
        if (!isPassingStatus(answer.status)) throw error;
        asked = parseRetryAfter(answer.headers.get('retry-after') ?? '') ?? 0;
      } catch (problem) {
        if (signal?.aborted) throw cancelled();
        if (problem instanceof ModelError && (problem.status === undefined || !isPassingStatus(problem.status)))
          throw problem;
        error = new ModelError(
          'io',
          `cannot ask ${printable(this.options.endpoint, 200)} for the list of ${place}: ${
            ModelError.from(problem).message
          }`,
          { cause: problem },
        );
      }
      const pause = Math.max(pauseBeforeRetry(patience, failures), asked);
      if (failures > patience.retries || isOffline()) throw error;
      if (pause > patience.mostWait) {
        throw new ModelError('io', `${error.message}; it asks to wait ${Math.round(pause / 1000)} s`);
      }
      await sleep(pause, signal);
    }
  }
}

const isOffline = (): boolean => globalThis.navigator?.onLine === false;
