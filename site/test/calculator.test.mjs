// The tool that computes. Its source is TypeScript without types that matter: Vite's own compiler takes them away.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { transformWithOxc } from 'vite';

const source = await readFile(new URL('../src/data/calculator.ts', import.meta.url), 'utf8');
const { code } = await transformWithOxc(source, 'calculator.ts');
const { calculate } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

test('arithmetic follows the usual rules', () => {
  const cases = {
    '1 + 2 * 3': 7, '(1 + 2) * 3': 9, '2 ^ 3 ^ 2': 512, '-2 ^ 2': -4, '2 ^ -2': 0.25, '10 - 4 - 3': 3, '7 % 4': 3, '12 / 4 / 3': 1, '6 × 7': 42,
    'sqrt(16) + abs(-2)': 6, '2 * pi': 2 * Math.PI, '1.5e3': 1500, '.5': 0.5, '--3': 3,
  };
  for (const [expression, value] of Object.entries(cases)) assert.equal(calculate(expression), value, expression);
});

test('what is no arithmetic is refused, and nothing of it is run', () => {
  for (const expression of ['', '1 +', '(1', '1)', '2 3', 'alert(1)', 'constructor', 'toString(1)', '__proto__', 'sqrt 4', '1; 2', '('.repeat(2000)]) {
    assert.throws(() => calculate(expression), Error, expression);
  }
});
