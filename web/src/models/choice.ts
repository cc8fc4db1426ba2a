// Which of a repository's types this device should have. The sentences are those of `wisp pull` (cli/model_choice.cpp).
import { formatBytes, type OwnBytes } from './bytes.js';
import { ModelError } from './error.js';
import { bytesOf, describeModels, isComplete, shortType, type Listing, type RemoteModel } from './listing.js';

export interface Candidate {
  /** "dir/Model-1B-Q4_K_M" */
  readonly stem: string;
  /** "Q4_K_M"; '' where the name tells none */
  readonly type: string;
  /** Of all parts. */
  readonly bytes: number;
  readonly parts: number;
  /** Of each part, in bytes. */
  readonly sizes: readonly number[];
  /** What open() takes. */
  readonly name: string;
  /** All of it is here already. */
  readonly stored: boolean;
  /**
   * The first bytes of a part, fetched if need be, and kept for the case that it is chosen: for its GGUF header.
   */
  readStart(count: number, part: number): Promise<OwnBytes>;
}

/**
 * Whether this device can run it. With numbers the sentence that says why can name them: it needs `needs` bytes of
 * `of`, where that is known.
 */
export type Fit =
  | boolean
  | { readonly fits: boolean; readonly needs: number; readonly of?: number; readonly why?: string };
export type Fits = (candidate: Candidate) => Fit | Promise<Fit>;

export interface Choice {
  readonly model: RemoteModel;
  readonly why: string;
}

/** The largest that fits. Nothing is asked about models whose parts are missing. */
export async function chooseThatFits(
  listing: Listing,
  candidateOf: (model: RemoteModel) => Candidate,
  fits: Fits,
): Promise<Choice> {
  const models = listing.models.filter(isComplete);
  if (models.length === 0) throw new ModelError('not_found', 'of every model in the repository parts are missing');
  let tooLarge = '';
  let smallest = '';
  for (const model of models) {
    const fit = await fits(candidateOf(model));
    const of = typeof fit === 'object' && fit.of !== undefined ? ` of ${formatBytes(fit.of)}` : '';
    const needs = typeof fit === 'object' ? `takes ${formatBytes(fit.needs)}${of}` : '';
    const extra = typeof fit === 'object' && fit.why !== undefined ? `; ${fit.why}` : '';
    if (typeof fit === 'object' ? fit.fits : fit) {
      const rank =
        models.length === 1
          ? 'the only one, and it fits this device'
          : `the largest of ${models.length} that fits this device`;
      return {
        model,
        why: `${shortType(model)} (${formatBytes(bytesOf(model))}): ${rank}${needs && `; it ${needs}`}${extra}${tooLarge}`,
      };
    }
    tooLarge = typeof fit === 'object' ? `; ${shortType(model)} would take ${formatBytes(fit.needs)}` : '';
    smallest = `; the smallest, ${shortType(model)}, ${needs === '' ? 'is too large' : needs.replace('takes', 'would take')}${extra}`;
  }
  throw new ModelError(
    'out_of_memory',
    `none of ${describeModels(models)} fits this device${
      smallest
    }. A type behind the name (:${shortType(models.at(-1)!)}) loads it all the same`,
  );
}
