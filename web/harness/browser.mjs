// The checks in a headless browser: node web/harness/browser.mjs [--browser chromium|firefox] [--gpu] [--report FILE.xml]
// --gpu: those of the GPU in place of the others.
import { openBrowser } from './browsers.mjs';
import { finish } from './report.mjs';
import { serve } from './server.mjs';

const flag = process.argv.indexOf('--browser');
const name = flag > 0 ? process.argv[flag + 1] : 'chromium';
const gpu = process.argv.includes('--gpu');
const query = new URLSearchParams({ suite: gpu ? 'gpu' : 'cpu', ...(process.env.WISP_TEST_DATA && { data: '' }) });

const server = await serve();
const { browser, page } = await openBrowser(name, gpu);
try {
  // Firefox tells of shaders that do not compile by itself; checks that mean it read the event.
  const COMPILER = /^(Encountered one or more errors while creating shader module|WebGPU compilation info for shader module)/;
  page.on('console', message => { if (!COMPILER.test(message.text())) console.log(message.text()); });
  await page.goto(`${server.url}/web/harness/page.html?${query}`);
  finish(await page.evaluate(() => window.results));
} finally {
  await browser.close();
  server.close();
}
