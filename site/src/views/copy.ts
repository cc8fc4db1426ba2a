// To the clipboard, said on the button that asked.
export async function copyText(text: string, button?: HTMLElement | null): Promise<void> {
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = 'Not allowed';
  }
  if (!button) return;
  const before = button.dataset.label ?? button.textContent ?? '';
  button.dataset.label = before;
  if (button.classList.contains('icon')) button.title = said;
  else button.textContent = said;
  button.classList.add('done');
  setTimeout(() => {
    if (button.classList.contains('icon')) button.title = button.getAttribute('aria-label') ?? '';
    else button.textContent = before;
    button.classList.remove('done');
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
