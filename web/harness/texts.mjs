// What is kept about devices from visit to visit (engine/gpu/storage.h): texts by name, in IndexedDB, in a few lines. The package
// has its own (src/models/texts.ts). Where there is no IndexedDB, as in Node or a private window, nothing is kept.
const DATABASE = 'wisp-harness';
const STORE = 'texts';

const settled = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function open() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

async function withStore(mode, use) {
  if (globalThis.indexedDB === undefined) return undefined;
  let database;
  try {
    database = await open();
    return await use(database.transaction(STORE, mode).objectStore(STORE));
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}

/** @returns {Promise<Map<string, string>>} all texts */
export async function loadTexts() {
  const pairs = await withStore('readonly', async store => {
    const [names, texts] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
    return names.map((name, index) => [name, texts[index]]);
  });
  return new Map(pairs ?? []);
}

/** @param {Map<string, string>} texts that replace those of the same names */
export async function saveTexts(texts) {
  await withStore('readwrite', store => Promise.all([...texts].map(([name, text]) => settled(store.put(text, name)))));
}

export async function forgetTexts() {
  await withStore('readwrite', store => settled(store.clear()));
}
