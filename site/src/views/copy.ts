// To the clipboard, said on the button that asked.
export async function copyText(text: string, button?: HTMLElement | null): Promise<void> {
  let isDone = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isDone = false; // not allowed, or there is no clipboard: a page without https has none
  }
  if (!button) return;
  // A button with an icon says it by its name, for who does not see its colour.
  const isIcon = button.classList.contains('icon');
  const say = (said: string): void => {
    if (!isIcon) button.textContent = said;
    else button.title = button.ariaLabel = said;
  };
  const before = button.dataset.label ?? (isIcon ? button.ariaLabel : button.textContent) ?? '';
  button.dataset.label = before;
  say(isDone ? 'Copied' : 'Not allowed');
  button.classList.toggle('done', isDone);
  button.classList.toggle('refused', !isDone);
  setTimeout(() => {
    say(before);
    button.classList.remove('done', 'refused');
  }, 1500);
}

/** A file for the user to keep. */
export function saveFile(name: string, content: Blob | string, type = 'text/plain'): void {
  const address = URL.createObjectURL(typeof content === 'string' ? new Blob([content], { type }) : content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
