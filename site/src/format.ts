// Numbers for people.
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** 7914112: "7.9 MB" */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit + 1 < UNITS.length; ++unit) value /= 1000;
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

/** 12.3, 456, 78 k */
export function formatRate(perSecond: number): string {
  if (perSecond >= 10_000) return `${(perSecond / 1000).toFixed(0)} k`;
  return perSecond.toFixed(perSecond >= 100 ? 0 : 1);
}

export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

export const formatCount = (count: number): string => (count >= 1e9 ? `${(count / 1e9).toFixed(1)} B` : count >= 1e6 ? `${(count / 1e6).toFixed(1)} M` : String(count));

export function formatWhen(time: number): string {
  // Days begin at midnight where the user is; one of them may have 23 hours.
  const midnight = (of: number): number => new Date(of).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(Date.now()) - midnight(time)) / 86_400_000);
  if (days <= 0) return 'today';
  if (days === 1) return 'yesterday';
  return days < 14 ? `${days} days ago` : new Date(time).toLocaleDateString();
}
