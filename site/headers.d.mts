export const HEADERS: Record<string, string>;
export const TYPES: Record<string, string>;
