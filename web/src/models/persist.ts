// Asks the browser not to clear this origin's storage by itself when space runs short. This is for the page's thread:
// workers cannot ask.
const ASKED = 'wisp-asked-to-persist';

/**
 * Asks the browser not to clear what this origin keeps, once: Firefox asks the user, who should not be asked again. For the page's
 * thread. Never rejects.
 * @returns Whether the storage stays
 * @category Models that are kept
 */
export async function askToPersist(): Promise<boolean> {
  const storage = globalThis.navigator?.storage;
  try {
    if (await storage?.persisted?.()) return true;
    if (localStorage.getItem(ASKED) !== null) return false;
    localStorage.setItem(ASKED, new Date().toISOString());
    return (await storage?.persist?.()) === true;
  } catch {
    return false;
  }
}
