// The results on the terminal, and in JUnit's XML where --report FILE asks for it (tests/totals.py reads that).
import { writeFileSync } from 'node:fs';

const escape = text =>
  text.replace(/[<>&"\n]/g, character => `&#${character.charCodeAt(0)};`).replace(/[^\x20-\x7e]/g, '?');

function junit(results) {
  const cases = results.map(({ suite, name, status, reason, seconds }) => {
    const head = `<testcase classname="${suite}" name="${name}" time="${seconds.toFixed(3)}"`;
    if (status === 'passed') return `${head}/>`;
    const tag = status === 'failed' ? 'failure' : 'skipped';
    return `${head}><${tag} message="${escape(reason)}"/></testcase>`;
  });
  return `<testsuites><testsuite name="wasm">\n${cases.join('\n')}\n</testsuite></testsuites>\n`;
}

// Prints, writes, and sets the exit code of this process.
export function finish(results) {
  const flag = process.argv.indexOf('--report');
  if (flag > 0) writeFileSync(process.argv[flag + 1], junit(results));
  for (const { suite, name, status, reason, seconds } of results) {
    if (status !== 'passed') console.log(`${status} ${suite}.${name}: ${reason}`);
    else console.log(`passed ${suite}.${name} (${seconds.toFixed(1)} s)`);
  }
  process.exitCode = results.length > 0 && results.every(({ status }) => status !== 'failed') ? 0 : 1;
}
