// Names, lists and headers: the cases are those of hub/*_test.cpp, so that `wisp pull` and a page understand the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, printable } from '../../src/models/bytes.js';
import { ModelError } from '../../src/models/error.js';
import {
  encodePath,
  parseContentRange,
  parseRetryAfter,
  pauseBeforeRetry,
  DEFAULT_PATIENCE,
} from '../../src/models/http.js';
import {
  addTreePage,
  bytesOf,
  describeModels,
  groupModels,
  isComplete,
  selectModel,
  typeInName,
  type RemoteFile,
} from '../../src/models/listing.js';
import { canonicalName, isRevision, isSafePath, parseModelName } from '../../src/models/name.js';

const codeOf = (run: () => unknown): [string, string] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ModelError);
    return [error.code, error.message];
  }
  return ['', ''];
};

test('names are taken apart', () => {
  assert.deepEqual(parseModelName('hf:owner/repo-GGUF'), {
    kind: 'repository',
    repository: 'owner/repo-GGUF',
    revision: 'main',
    selection: '',
  });
  assert.deepEqual(parseModelName('owner/repo:Q4_K_M'), parseModelName('hf:owner/repo:Q4_K_M'));
  assert.deepEqual(parseModelName('hf://owner/repo'), parseModelName('hf:owner/repo'));
  const full = parseModelName('hf:owner/repo@refs/pr/1:sub/model-Q8_0.gguf');
  assert.deepEqual(full, {
    kind: 'repository',
    repository: 'owner/repo',
    revision: 'refs/pr/1',
    selection: 'sub/model-Q8_0.gguf',
  });
  assert.equal(canonicalName(full), 'hf:owner/repo@refs/pr/1:sub/model-Q8_0.gguf');
  const address = parseModelName('HTTPS://host:8080/a/b.gguf?sig=secret#part');
  assert.deepEqual(address, { kind: 'address', address: 'https://host:8080/a/b.gguf', query: '?sig=secret' });
  assert.equal(canonicalName(address), 'https://host:8080/a/b.gguf', 'a signature is a secret');
});

test('pages of Hugging Face are their repositories', () => {
  const canonical = (page: string): string => canonicalName(parseModelName(page));
  assert.equal(canonical('https://huggingface.co/owner/repo'), 'hf:owner/repo');
  assert.equal(canonical('https://huggingface.co/owner/repo/'), 'hf:owner/repo');
  assert.equal(canonical('https://hf.co/owner/repo?library=x#files'), 'hf:owner/repo');
  assert.equal(canonical('https://www.huggingface.co/owner/repo/tree/v1'), 'hf:owner/repo@v1');
  assert.equal(canonical('https://huggingface.co/owner/repo/blob/main/sub/a-Q4_0.gguf'), 'hf:owner/repo:sub/a-Q4_0.gguf');
  for (const other of [
    'https://huggingface.co/owner/repo/resolve/main/a.gguf', 'https://huggingface.co/datasets/owner/repo',
    'https://huggingface.co/owner/repo/blob/main/../a.gguf', 'https://huggingface.co/owner/repo/blob/main',
    'https://huggingface.co/owner/repo/tree/main/sub', 'https://huggingface.co/owner', 'https://huggingface.co/a/..',
    'http://huggingface.co/owner/repo', 'https://huggingface.co.example.org/owner/repo',
  ]) assert.equal(canonical(other), other);
});

test('hostile names are refused', () => {
  for (const text of [
    '',
    'hf:',
    'hf:owner',
    'hf:owner/',
    'hf:/repo',
    'hf:../repo',
    'hf:owner/..',
    'hf:owner/a--b',
    'hf:a/b/c',
    'hf:a/b:',
    'hf:a/b:../c.gguf',
    'hf:a/b:/etc/passwd',
    'hf:a/b@',
    'hf:a/b@..',
    'hf:a/b@x y',
    'hf:a/b:c\nd',
    'hf:.a/b',
    'file:///etc/passwd',
    'ftp://host/x',
    'http://',
    'http://user:pw@host/x',
    'http://host/a b',
    'http://ho\rst/',
    'model.gguf',
    './a/b',
    'name with spaces',
    `hf:a/${'b'.repeat(5000)}`,
  ]) {
    assert.equal(codeOf(() => parseModelName(text))[0], 'invalid_argument', text);
  }
});

test('fuzzed names are safe or refused', () => {
  const pieces = ['hf:', 'a/b', '/', '..', '.', '@', ':', 'a', 'Q4_0', 'http://', '?', '\\', '\x01', '-', '#'];
  let state = 7;
  const random = (below: number) => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65521) % below;
  let taken = 0;
  for (let i = 0; i < 20000; ++i) {
    let text = random(2) === 0 ? 'hf:' : '';
    for (let n = random(9); n > 0; --n) text += pieces[random(pieces.length)];
    let name;
    try {
      name = parseModelName(text);
    } catch (error) {
      assert.ok(error instanceof ModelError && error.code === 'invalid_argument', text);
      continue;
    }
    if (name.kind !== 'repository') continue;
    ++taken;
    assert.ok(!name.repository.includes('..') && isRevision(name.revision), text);
    assert.ok(name.selection === '' || isSafePath(name.selection), text);
    assert.equal(canonicalName(parseModelName(canonicalName(name))), canonicalName(name));
  }
  assert.ok(taken > 10);
});

test('types are read from names', () => {
  const cases: [string, string][] = [
    ['Qwen3-0.6B-Q8_0.gguf', 'Q8_0'],
    ['qwen2.5-0.5b-instruct-q4_k_m.gguf', 'Q4_K_M'],
    ['tinyllama-1.1b-chat-v1.0.Q2_K.gguf', 'Q2_K'],
    ['gemma-3-1b-it-qat-q4_0.gguf', 'Q4_0'],
    ['Model-UD-Q4_K_XL.gguf', 'UD-Q4_K_XL'],
    ['Model-UD-IQ1_S.gguf', 'UD-IQ1_S'],
    ['Model-IQ2_XXS.gguf', 'IQ2_XXS'],
    ['model_q4_0.gguf', 'Q4_0'],
    ['gpt-oss-20b-mxfp4.gguf', 'MXFP4'],
    ['gpt-oss-20b-MXFP4_MOE.gguf', 'MXFP4_MOE'],
    ['Model-Q4_0_4_8.gguf', 'Q4_0_4_8'],
    ['Model-TQ1_0.gguf', 'TQ1_0'],
    ['Model-Q6_K_L.gguf', 'Q6_K_L'],
    ['BF16/Model-BF16-00001-of-00003.gguf', 'BF16'],
    ['Q8_0/model-00001-of-00002.gguf', 'Q8_0'],
    ['model-fp16.gguf', 'F16'],
    ['model.f32.GGUF', 'F32'],
    ['model.gguf', ''],
    ['Q.gguf', ''],
    ['Qwen-7B.gguf', ''],
    ['.gguf', ''],
  ];
  for (const [name, type] of cases) assert.equal(typeInName(name), type, name);
});

const files = (list: Record<string, number>): RemoteFile[] =>
  Object.entries(list).map(([path, size]) => ({ path, size, sha256: '' }));

test('parts belong together, and companions are no models', () => {
  const listing = groupModels(
    files({
      'm-Q4_0.gguf': 10,
      'm-Q8_0-00002-of-00002.gguf': 11,
      'm-Q8_0-00001-of-00002.gguf': 12,
      'm-F16-00001-of-00003.gguf': 30,
      'mmproj-m-F16.gguf': 500,
      'sub/m.imatrix.gguf': 400,
    }),
  );
  assert.deepEqual(
    listing.models.map(({ type }) => type),
    ['F16', 'Q8_0', 'Q4_0'],
    'the largest first',
  );
  assert.equal(listing.others.length, 2);
  const [f16, q8] = listing.models;
  assert.equal(isComplete(f16!), false);
  assert.deepEqual(
    q8!.files.map(({ path }) => path),
    ['m-Q8_0-00001-of-00002.gguf', 'm-Q8_0-00002-of-00002.gguf'],
  );
  assert.equal(bytesOf(q8!), 23);
  assert.equal(q8!.stem, 'm-Q8_0');
  assert.equal(selectModel(listing, 'm-Q8_0-00002-of-00002.gguf').files.length, 2, 'any part means all of them');
  assert.equal(codeOf(() => selectModel(listing, 'F16'))[0], 'invalid_file');
});

test('selections mean one model or say why', () => {
  const listing = groupModels(
    files({ 'a-Q4_K_M.gguf': 10, 'b-Q4_K_M.gguf': 11, 'a-UD-Q6_K.gguf': 9, 'x/a-F16.gguf': 30 }),
  );
  assert.equal(selectModel(listing, 'A-q4_k_m.gguf').stem, 'a-Q4_K_M');
  assert.equal(selectModel(listing, 'fp16').stem, 'x/a-F16');
  assert.equal(selectModel(listing, 'a-f16.gguf').stem, 'x/a-F16');
  assert.equal(selectModel(listing, 'q6_k').type, 'UD-Q6_K');
  assert.equal(selectModel(listing, 'ud-q6_k').type, 'UD-Q6_K');
  const [two, names] = codeOf(() => selectModel(listing, 'Q4_K_M'));
  assert.equal(two, 'invalid_argument');
  assert.match(names, /b-Q4_K_M\.gguf/);
  const [none, what] = codeOf(() => selectModel(listing, 'Q2_K'));
  assert.equal(none, 'not_found');
  assert.match(what, /UD-Q6_K \(9 B\)/);
  assert.match(describeModels(listing.models), /^F16 \(30 B\), /);
});

test('hostile lists are refused or left out', () => {
  for (const page of [undefined, {}, null, 'x', 1, { error: 'no' }]) {
    assert.equal(codeOf(() => addTreePage(page, []))[0], 'invalid_file');
  }
  const found: RemoteFile[] = [];
  const file = (path: unknown, size: unknown, more = {}) => ({ type: 'file', path, size, ...more });
  addTreePage(
    [
      null,
      1,
      [],
      {},
      { type: 'file' },
      { type: 'directory', path: 'a.gguf', size: 1 },
      file('../a.gguf', 1),
      file('/a.gguf', 1),
      file('a/./b.gguf', 1),
      file('a\\b.gguf', 1),
      file('neg.gguf', -1),
      file('huge.gguf', 99999999999999999999),
      file('big.gguf', 9007199254740993000),
      file('half.gguf', 1.5),
      file(3, 1),
      file('text.txt', 1),
      file('text.gguf', '1'),
      file('ok.gguf', 7, { lfs: { oid: 'not a hash', size: 8 } }),
    ],
    found,
  );
  assert.deepEqual(found, [{ path: 'ok.gguf', size: 8, sha256: '' }]);
});

test('content ranges are taken only whole', () => {
  assert.deepEqual(parseContentRange('bytes 10-19/400'), { first: 10, last: 19, total: 400 });
  for (const text of [
    '',
    'bytes',
    'bytes 1-2',
    'bytes */400',
    'bytes 1-2/*',
    'bytes 5-4/10',
    'bytes 1-10/10',
    'bytes -1-2/3',
    'items 1-2/3',
    'bytes 99999999999999999999-1/2',
    'bytes 1-2/3x',
    'bytes 1-2/9999999999999999',
  ]) {
    assert.equal(parseContentRange(text), undefined, text);
  }
});

test('waits that a server asks for', () => {
  assert.equal(parseRetryAfter('3'), 3000);
  assert.equal(parseRetryAfter('Wed, 21 Oct 2015 07:28:00 GMT'), 0);
  assert.equal(parseRetryAfter('Wed, 21 Oct 2015 07:28:00 GMT', Date.UTC(2015, 9, 21, 7, 27, 50)), 10_000);
  for (const text of ['', 'soon', '-1', '1.5', 'Wed, 99 Foo 2020'])
    assert.equal(parseRetryAfter(text), undefined, text);
  assert.equal(pauseBeforeRetry(DEFAULT_PATIENCE, 1, 0), 500);
  assert.equal(pauseBeforeRetry(DEFAULT_PATIENCE, 3, 0), 2000);
  assert.equal(pauseBeforeRetry(DEFAULT_PATIENCE, 3, 1), 3000);
  assert.equal(pauseBeforeRetry(DEFAULT_PATIENCE, 1000, 0), 500 * 64);
});

test('texts for addresses and messages', () => {
  assert.equal(encodePath('a b/c?#%\u00e4-._~'), 'a%20b/c%3F%23%25%C3%A4-._~');
  assert.equal(printable('a\nb\u202e'), 'a\\x0ab\\x202e');
  assert.equal(printable('abcdef', 3), 'abc...');
  assert.deepEqual([0, 1023, 1024, 1.5 * 2 ** 30, 2 ** 50].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 GiB',
    '1024.0 TiB',
  ]);
});

test('errors cross a boundary and keep what they say', () => {
  const error = new ModelError('not_found', 'there is no such thing', { status: 404 });
  const other = ModelError.from(JSON.parse(JSON.stringify(error)));
  assert.deepEqual([other.code, other.message, other.status], ['not_found', 'there is no such thing', 404]);
  assert.equal(ModelError.from(new DOMException('x', 'QuotaExceededError')).code, 'quota');
  assert.equal(ModelError.from(Object.assign(new Error('x'), { code: 'ENOSPC' })).code, 'quota');
  assert.equal(ModelError.from(new DOMException('x', 'AbortError')).code, 'cancelled');
  for (const odd of [undefined, null, 1, 'text', {}, { name: 'ModelError', code: 'toString' }])
    assert.equal(ModelError.from(odd).code, 'io');
});
