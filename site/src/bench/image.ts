// A result as a picture to share, drawn on a canvas.
import { formatBytes, formatRate } from '../format.js';
import { bestOf, type Result } from './results.js';

const WIDTH = 1200;
const HEIGHT = 630;
const FONT = 'system-ui, sans-serif';

/** As much of `text` as `width` has room for. */
function clip(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 0 && context.measureText(`${text.slice(0, end)}…`).width > width) --end;
  return `${text.slice(0, end)}…`;
}

export function drawResult(result: Result): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d')!;
  const text = (said: string, x: number, y: number, size: number, colour: string, weight = 400, width = WIDTH - 160): void => {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = colour;
    context.fillText(clip(context, said, width), x, y);
  };
  context.fillStyle = '#16171b';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  text('wisp', 80, 110, 40, '#8fb8ff', 700);
  text([result.model, result.type, formatBytes(result.bytes)].filter(Boolean).join(' · '), 80, 175, 44, '#f3f1ec', 600);
  text(`${result.executor} · ${result.browser}`, 80, 225, 28, '#a9abb3');

  const figures: ['prefill' | 'decode', string][] = [['prefill', 'prompt'], ['decode', 'answer']];
  figures.forEach(([what, name], index) => {
    const x = 80 + index * 280;
    text(formatRate(bestOf(result.rows, what)), x, 350, 84, '#ffd479', 700, 270);
    text(`tokens/s, ${name}`, x, 395, 26, '#a9abb3', 400, 270);
  });

  // Bars: the answer's rate over what lies before it.
  const most = bestOf(result.rows, 'decode') || 1;
  const step = 480 / Math.max(1, result.rows.length);
  result.rows.forEach(({ size, decode }, index) => {
    const height = (decode / most) * 200;
    context.fillStyle = '#8fb8ff';
    context.fillRect(660 + index * step, 480 - height, Math.min(step - 16, 70), height);
    text(String(size), 660 + index * step, 515, 22, '#a9abb3', 400, step);
  });
  text('answer, by tokens before it', 660, 555, 22, '#a9abb3');
  text(new Date(result.time).toLocaleDateString('en-GB'), 80, 555, 22, '#a9abb3');
  return new Promise((resolve, reject) => canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error('no picture could be made'))), 'image/png'));
}
