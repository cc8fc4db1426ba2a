// Light, dark, or as the system has it. public/theme.js applies the choice before the first paint.
import { Store } from './store.js';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'wisp-theme';
const NEXT: Record<Theme, Theme> = { auto: 'dark', dark: 'light', light: 'auto' };

const chosen = document.documentElement.dataset.theme;
export const theme = new Store<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'auto');

export function nextTheme(): void {
  const next = NEXT[theme.value];
  theme.set(next);
  if (next === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It holds for this visit.
  }
}
