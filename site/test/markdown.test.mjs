// Text that grows is drawn as the whole of it would be, wherever it is cut.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { transformWithOxc } from 'vite';

// Beside its source, where its import is found.
const made = new URL('../src/markdown.test-build.mjs', import.meta.url);
await writeFile(made, (await transformWithOxc(await readFile(new URL('../src/markdown.ts', import.meta.url), 'utf8'), 'markdown.ts')).code);
const { GrowingMarkdown } = await import(made).finally(() => rm(made));

const TEXT = `# Title\n\nA paragraph\nof two lines.\n\n- one\n\n  more of one\n- two\n  1. a\n  2. b\n\n\`\`\`js\nlet a = 1;\n\n\nlet b;\n\`\`\`
| a | b |\n|---|--:|\n| 1 | 2 |\n\n> quoted\nlazily\n\n    indented code\n\nsetext\n===\n\n***\n[link](https://example.org) <b>no</b>`;

test('a growing text gives the blocks of the whole', () => {
  for (const step of [1, 3, 7, 40]) {
    const growing = new GrowingMarkdown();
    for (let end = step; end < TEXT.length + step; end += step) {
      const text = TEXT.slice(0, end);
      assert.deepEqual(growing.blocksOf(text), new GrowingMarkdown().whole(text), JSON.stringify(text));
    }
  }
});

test('another text, or one that was cut, is read anew', () => {
  const growing = new GrowingMarkdown();
  growing.blocksOf('one\n\ntwo');
  assert.deepEqual(growing.blocksOf('one'), ['<p>one</p>\n']);
  assert.deepEqual(growing.blocksOf('three\n\nfour'), ['<p>three</p>\n', '<p>four</p>\n']);
});

test('links lead to pages and letters alone', () => {
  const html = ['https://example.org/a', 'HTTP://example.org', 'mailto:a@example.org', 'javascript:alert(1)', ' javascript:alert(1)', 'java&#x09;script:alert(1)', 'data:text/html,x',
    'data:image/png;base64,x', 'vbscript:x', 'file:///etc/passwd', 'blob:https://example.org/x', 'ms-settings:x', '#models', '/elsewhere', '//example.org/x']
    .map(address => new GrowingMarkdown().whole(`[x](<${address}>)`).join(''));
  assert.deepEqual(html.map(text => text.includes('<a ')), [true, true, true, ...Array(12).fill(false)]);
  assert.equal(new GrowingMarkdown().whole('[x]\n\n[x]: javascript:alert(1)').join('').includes('<a '), false);
});
