// What the native engine says to the cases' question, in greedy tokens.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** @param {string} root of the repository @returns {string | undefined} nothing where its command is not built */
export function nativeGreedy(root) {
  const command = `${root}build/bin/wisp`;
  if (!existsSync(command)) return undefined;
  const told = execFileSync(command, ['chat', `${root}models/wisp-stories.gguf`, '--temp', '0', '-n', '24', '--json'],
    { input: 'Tell me a story about a dog.\n', stdio: ['pipe', 'pipe', 'ignore'] });
  return JSON.parse(told.toString()).text;
}
