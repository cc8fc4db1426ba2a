// A model may be dropped anywhere on the page. Left to itself, the browser would leave the page for a file that is dropped beside the mark.
import { loadFile } from '../engine.js';

const hasFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes('Files') ?? false;

export function takeDrops(): void {
  window.addEventListener('dragover', event => { if (hasFiles(event)) event.preventDefault(); });
  window.addEventListener('drop', event => {
    if (!hasFiles(event)) return; // texts go where they are dropped
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void loadFile(file);
  });
}
