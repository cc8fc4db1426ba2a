// Pictures of the page to look at: node test/screens.mjs [FOLDER]. On the stand-in, so that they show every kind of message.
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { FAKED, answered, openSite, startShipped } from './page.mjs';

const out = process.argv[2] ?? fileURLToPath(new URL('../../build/screens/', import.meta.url));
await mkdir(out, { recursive: true });
const DEVICES = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
for (const [device, settings] of Object.entries(DEVICES)) {
  for (const theme of ['light', 'dark']) {
    const site = await openSite({ folder: FAKED, device: { ...settings, colorScheme: theme } });
    const { page, url } = site;
    const shot = name => page.screenshot({ path: `${out}/${device}-${theme}-${name}.png` });
    const go = async name => {
      await page.goto(`${url}/#${name}`);
      await page.locator(`main.${name}`).waitFor();
    };
    await page.getByRole('button', { name: 'Start' }).waitFor();
    await shot('first');
    await startShipped(page);
    const ask = async text => {
      await page.getByRole('textbox', { name: 'Message' }).fill(text);
      await page.getByRole('button', { name: 'Send' }).click();
      await answered(page);
    };
    await ask('Tell me a story about a dog.');
    await ask('think about markdown, please');
    await ask('markdown');
    await shot('chat');
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await shot('settings');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Close the settings' }).click({ timeout: 300 }).catch(() => {});
    if (device === 'phone') {
      await page.getByRole('button', { name: 'Chats' }).click();
      await shot('list');
      await page.getByRole('button', { name: 'Close the list' }).click();
    }
    await go('models');
    await page.getByRole('cell', { name: /^Other/ }).waitFor();
    await shot('models');
    await go('benchmark');
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByText(/Equal: greedy tokens/).waitFor();
    await shot('benchmark');
    await go('profiler');
    await page.getByRole('button', { name: 'Take a profile' }).click();
    await page.getByText('WebAssembly memory, in all').waitFor();
    await shot('profiler');
    await site.close();
  }
}
