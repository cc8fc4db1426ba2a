// What a model is called: a place on Hugging Face or an address. The rules are those of `wisp pull`
// (hub/model_name.cpp).
import { printable } from './bytes.js';
import { ModelError } from './error.js';

export interface RepositoryName {
  readonly kind: 'repository';
  readonly repository: string; // "OWNER/REPO"
  readonly revision: string; // "main" where none was named
  readonly selection: string; // a file in the repository, or a type ("Q4_K_M"); '' where none was named
}

export interface AddressName {
  readonly kind: 'address';
  readonly address: string; // without query and fragment
  readonly query: string; // with its '?': it may hold a signature, so it is neither shown nor kept
}

export type ModelName = RepositoryName | AddressName;

export const MAIN_REVISION = 'main';
const MOST_NAME_CHARACTERS = 4096;
const CONTROL = /[\u0000-\u001f\u007f]/;

const refuse = (sentence: string): never => {
  throw new ModelError('invalid_argument', sentence);
};

// An owner or a repository, by the rules that Hugging Face has for them.
const isRepositoryPart = (part: string): boolean => /^[\w.-]{1,96}$/.test(part) && !/^[.-]|[.-]$|--|\.\./.test(part);

/**
 * "a/b/model.gguf" as a repository may name it: no empty part, no "." or "..", no control character, no backslash, of
 * bounded length and depth. Whatever passes stays below the folder that it is joined to.
 */
export function isSafePath(path: string): boolean {
  if (path === '' || path.length > 1024 || CONTROL.test(path) || path.includes('\\')) return false;
  const parts = path.split('/');
  return parts.length <= 8 && parts.every(part => part !== '' && part !== '.' && part !== '..' && part.length <= 230);
}

/** A branch, tag, commit, or "refs/pr/1". */
export const isRevision = (text: string): boolean => text.length <= 200 && isSafePath(text) && /^[\w./+-]+$/.test(text);

function parseRepository(whole: string): RepositoryName {
  let rest = whole;
  let selection = '';
  let revision = MAIN_REVISION;
  const colon = rest.indexOf(':');
  if (colon >= 0) {
    selection = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!isSafePath(selection)) {
      refuse(
        `'${printable(whole, 200)}' names neither a file nor a type behind its colon; write ${printable(rest)}:Q4_K_M`,
      );
    }
  }
  const at = rest.indexOf('@');
  if (at >= 0) {
    revision = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!isRevision(revision)) refuse(`'${printable(revision)}' is not a revision: a branch, a tag or a commit`);
  }
  const slash = rest.indexOf('/');
  if (slash < 0 || !isRepositoryPart(rest.slice(0, slash)) || !isRepositoryPart(rest.slice(slash + 1))) {
    refuse(
      `'${printable(whole, 200)}' is not a repository; write hf:OWNER/REPO, hf:OWNER/REPO:Q4_K_M or hf:OWNER/REPO@REVISION:FILE`,
    );
  }
  return { kind: 'repository', repository: rest, revision, selection };
}

function parseAddress(whole: string, schemeEnd: number): AddressName {
  const scheme = whole.slice(0, schemeEnd).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https')
    refuse(`models are fetched by http and https, not by '${printable(scheme)}'`);
  const shown = whole.replace(/[?#].*$/s, '');
  const host = shown.slice(schemeEnd + 3).replace(/\/.*$/s, '');
  if (host.includes('@')) refuse('an address must not hold a user or a password; a token is an option of its own');
  if (host === '' || /[ \\]/.test(whole) || !URL.canParse(whole)) {
    refuse(`'${printable(shown, 200)}' is not an address; write https://HOST/PATH/model.gguf`);
  }
  const query = whole[shown.length] === '?' ? whole.slice(shown.length).replace(/#.*$/s, '') : '';
  return { kind: 'address', address: scheme + shown.slice(schemeEnd), query };
}

// What the address bar of a browser shows on Hugging Face names a repository, or a file in it: the address itself is a web page.
const PAGE = /^https:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/]+\/[^/]+?)(?:\/|\/tree\/([^/]+)\/?|\/blob\/([^/]+)\/(.+))?$/;

function ofPage({ address }: AddressName): RepositoryName | undefined {
  const [, repository, branch, revision = branch ?? MAIN_REVISION, selection = ''] = PAGE.exec(address) ?? [];
  if (repository === undefined || !repository.split('/').every(isRepositoryPart) || !isRevision(revision)) return undefined;
  if (selection !== '' && !isSafePath(selection)) return undefined;
  return { kind: 'repository', repository, revision, selection };
}

/** Total: every text is a name or a clear `invalid_argument`. Nothing is looked up. */
export function parseModelName(text: string): ModelName {
  if (typeof text !== 'string') refuse(`the name of the model is a ${typeof text}, expected a text`);
  if (text === '') refuse('the name of the model is empty');
  if (text.length > MOST_NAME_CHARACTERS) {
    refuse(`the name of the model has ${text.length} characters, more than ${MOST_NAME_CHARACTERS}`);
  }
  if (CONTROL.test(text)) refuse(`'${printable(text, 200)}' holds control characters`);
  if (text.startsWith('hf:')) return parseRepository(text.slice(text.startsWith('hf://') ? 5 : 3));
  const scheme = /^[\w.-]+(?=:\/\/)/.exec(text)?.[0];
  if (scheme === undefined) return parseRepository(text);
  const address = parseAddress(text, scheme.length);
  return ofPage(address) ?? address;
}

/** The name that finds the same again: "hf:OWNER/REPO@REVISION:SELECTION", the address without its query. */
export function canonicalName(name: ModelName): string {
  if (name.kind === 'address') return name.address;
  const revision = name.revision === MAIN_REVISION ? '' : `@${name.revision}`;
  return `hf:${name.repository}${revision}${name.selection === '' ? '' : `:${name.selection}`}`;
}
