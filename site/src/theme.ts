// Light, dark, or as the system has it. public/theme.js applies the choice before the first paint.
import { Store } from './store.js';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'wisp-theme';
const NEXT: Record<Theme, Theme> = { auto: 'dark', dark: 'light', light: 'auto' };

const chosen = document.documentElement.dataset.theme;
export const theme = new Store<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'auto');

// The browser's own bar, too: its colours are given by the system's theme, and here by what was chosen.
const bars = Array.from(document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]'), bar => ({ bar, media: bar.media }));
function colourBars(): void {
  for (const { bar, media } of bars) bar.media = theme.value === 'auto' ? media : media.includes(theme.value) ? 'all' : 'not all';
}
colourBars();

export function nextTheme(): void {
  const next = NEXT[theme.value];
  theme.set(next);
  colourBars();
  if (next === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It holds for this visit.
  }
}
