// Headless browsers with the software adapters of this machine: what starts them, and a page of each. CHROMIUM and
// FIREFOX name other executables than the system's.

const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--no-first-run'];
// WebGPU on SwiftShader; without the second there is no adapter.
const CHROMIUM_GPU_FLAGS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
const FIREFOX_PREFERENCES = {
  'dom.webgpu.enabled': true,
  'dom.webgpu.workers.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
  'gfx.webgpu.force-enabled': true,
  'gfx.webrender.software': true,
  'layers.gpu-process.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'app.update.enabled': false,
};

const chromiumOptions = gpu => ({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: gpu ? [...CHROMIUM_FLAGS, ...CHROMIUM_GPU_FLAGS] : CHROMIUM_FLAGS,
});

async function openChromium(gpu) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch(chromiumOptions(gpu));
  return { browser, page: await browser.newPage() };
}

// VK_DRIVER_FILES chooses Firefox's adapter.
async function openFirefox() {
  const { default: puppeteer } = await import('puppeteer-core');
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    protocolTimeout: 600_000,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
  });
  return { browser, page: await browser.newPage() };
}

/**
 * @param {'chromium' | 'firefox'} name
 * @param {boolean} gpu whether WebGPU is wanted
 * @returns {Promise<{browser: {close(): Promise<void>}, page: object}>} `page` with goto, evaluate and on('console')
 */
export const openBrowser = (name, gpu) => (name === 'firefox' ? openFirefox() : openChromium(gpu));

/**
 * A browser with a profile on the disk, as a user has: its tabs share what they keep, and there is room for large files.
 * @param {'chromium' | 'firefox' | 'webkit'} name
 * @param {boolean} gpu whether WebGPU is wanted
 * @returns {Promise<{newPage(): Promise<object>, close(): Promise<void>}>}
 */
export async function openProfile(name, gpu = false) {
  if (name === 'webkit') return (await import('./webdriver.mjs')).openWebKit();
  if (name === 'firefox') return (await openFirefox()).browser; // its profile is on the disk anyway
  const { chromium } = await import('playwright-core');
  // An empty name: a folder that goes with the browser.
  return chromium.launchPersistentContext('', chromiumOptions(gpu));
}
