// Icons, drawn with strokes in the colour of the text. They say nothing to screen readers: their buttons have names.
import type { JSX } from 'preact';

const PATHS = {
  wisp: 'M3 16c3 0 3.5-7 6.5-7s2.5 8 5.500 8S17.500 10 20 9',
  chat: 'M4 5h16v11H9l-5 4z',
  models: 'M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9',
  benchmark: 'M4 20V10m5 10V4m5 16v-7m5 7V7',
  profiler: 'M3 6h9M7 12h11M5 18h7',
  auto: 'M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16',
  moon: 'M20 14a8 8 0 0 1-10-10 8 8 0 1 0 10 10z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M4.900 4.900l1.400 1.400m11.400 11.400l1.400 1.400M2 12h2m16 0h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400',
  send: 'M4 12l16-8-6 16-3-6.500z',
  stop: 'M7 7h10v10H7z',
  plus: 'M12 5v14M5 12h14',
  list: 'M4 6h16M4 12h16M4 18h10',
  settings: 'M4 8h9m5 0h2M4 16h2m5 0h9M13 5.500v5M8 13.500v5',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  again: 'M20 11a8 8 0 1 0-2.300 6M20 5v6h-6',
  edit: 'M4 20l1-5L16 4l4 4L9 19z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  save: 'M12 4v11m-5-5l5 5 5-5M5 20h14',
  close: 'M6 6l12 12M18 6L6 18',
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="drawn" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function IconButton({ name, label, onClick, ...rest }: { name: IconName; label: string; onClick: () => void } & JSX.IntrinsicElements['button']): JSX.Element {
  return <button type="button" class="icon" aria-label={label} title={label} onClick={onClick} {...rest}><Icon name={name} /></button>;
}
