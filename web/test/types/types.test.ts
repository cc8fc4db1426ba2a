// What the package says of itself: the types that it is built with, as a user's compiler reads them, and the page that is written from
// them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../../../web/', import.meta.url));

function run(script: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${web}${script}`, ...args], { cwd: web, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

test('docs/api-reference.md is what the types say, and everything in it is described', () => void run('docs.mjs', '--check'));

const skip = existsSync(`${web}dist/types/src/index.d.ts`) ? false : 'web/dist is not there: run ./dev web';
for (const [module, resolution] of [['ESNext', 'Bundler'], ['Node16', 'Node16']] as const) {
  test(`a user's program compiles, as ${resolution} finds the types`, { skip }, () => void
    run('node_modules/typescript/bin/tsc', '-p', 'test/types/consumer', '--module', module, '--moduleResolution', resolution));
}
test('older compilers know the types: none names the memory of an array', { skip }, () => {
  const listed = run('node_modules/typescript/bin/tsc', '-p', 'test/types/consumer', '--listFilesOnly').split('\n').filter(file => file.includes('dist/types/'));
  assert.ok(listed.length > 10, listed.join());
  assert.deepEqual(listed.filter(file => readFileSync(file, 'utf8').includes('Array<ArrayBuffer')), []);
});
test('what is published has its licence with it', { skip }, () => assert.ok(existsSync(`${web}dist/LICENSE`)));
test('a program for Node compiles, without the names of pages', { skip }, () => void
  run('node_modules/typescript/bin/tsc', '-p', 'test/types/consumer', '--lib', 'ES2022', '--types', 'node', '--module', 'Node16', '--moduleResolution', 'Node16'));
