// Which models may go when the browser's storage is full. Nothing is deleted that the user did not tick.
import { formatBytes, formatWhen } from '../format.js';
import type { StoredModel } from '../package.js';
import { ask } from './dialog.js';

interface Request {
  readonly needed: number;
  readonly free: number;
  readonly models: readonly StoredModel[];
  readonly suggestion: readonly string[];
}

export async function askForRoom({ needed, free, models, suggestion }: Request): Promise<readonly string[] | 'do not keep' | undefined> {
  const chosen = new Set(suggestion);
  const yes = models.length > 0 && await ask({
    title: 'Make room?',
    text: `The download takes ${formatBytes(needed)}, the browser gives ${formatBytes(free)}. Delete these models?`,
    body: () => (
      <ul class="plain">
        {models.map(({ id, shortName, type, here, lastUsed }) => (
          <li key={id}>
            <label class="check">
              <input type="checkbox" defaultChecked={chosen.has(id)} onChange={({ currentTarget }) => (currentTarget.checked ? chosen.add(id) : chosen.delete(id))} />
              <span>{shortName} {type} · {formatBytes(here)} · used {formatWhen(lastUsed)}</span>
            </label>
          </li>
        ))}
      </ul>
    ),
    yes: 'Delete and go on', no: 'Keep all',
  });
  if (yes) return [...chosen];
  const load = await ask({
    title: 'Load without keeping?', text: 'The model can be loaded without being stored. The next visit then fetches it again.', yes: 'Load it', no: 'Cancel',
  });
  return load ? 'do not keep' : undefined;
}
