// What a first visit costs: node test/figures.mjs. First paint, bytes over the network (Brotli 11, as a static host has them), and
// the page's longest task while an answer comes, on networks as Lighthouse emulates them. Needs site/dist (./dev web).

import { BUILT, answered, longestTask, openSite, say, startShipped } from './page.mjs';

const KB = 1000;
/** Bits a second, and ms of a round trip. */
const NETWORKS = { 'this machine': undefined, 'desktop (10 Mbit/s, 40 ms)': { rate: 10.24e6, latency: 40 }, 'slow 4G (1.6 Mbit/s, 150 ms)': { rate: 1.6384e6, latency: 150 } };

async function visit(network) {
  const site = await openSite({ folder: BUILT, quality: 11 });
  try {
    const { page, context } = site;
    // The first visit of each fills the server's cache of compressed files.
    await page.goto(`${site.url}/`, { waitUntil: 'networkidle' });
    const fresh = await context.browser().newContext();
    const visitor = await fresh.newPage();
    const devtools = await fresh.newCDPSession(visitor);
    await devtools.send('Network.enable');
    if (network) {
      const bytes = network.rate / 8;
      await devtools.send('Network.emulateNetworkConditions', { offline: false, latency: network.latency, downloadThroughput: bytes, uploadThroughput: bytes });
    }
    let received = 0;
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => { received += encodedDataLength; });
    await visitor.goto(`${site.url}/`, { waitUntil: 'networkidle' });
    const paint = await visitor.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    await fresh.close();
    return { paint, received };
  } finally {
    await site.close();
  }
}

for (const [name, network] of Object.entries(NETWORKS)) {
  const visits = [];
  for (let turn = 0; turn < 3; ++turn) visits.push(await visit(network));
  const [, median] = visits.map(({ paint }) => paint).sort((a, b) => a - b);
  console.log(`${name}: first contentful paint after ${Math.round(median)} ms (median of 3); ${Math.round(visits[0].received / KB)} kB until the page rests`);
}

const site = await openSite({ folder: BUILT, quality: 11 });
try {
  await startShipped(site.page);
  const longest = await longestTask(site, async () => {
    await say(site.page, 'Tell me a story about a dog and a balloon.');
    await answered(site.page);
  });
  let sum = 0;
  for (const path of ['index.js', 'worker.js', 'thread.js', 'wisp-relaxed.wasm']) {
    const answer = await fetch(`${site.url}/wisp/${path}`, { headers: { 'Accept-Encoding': 'br' } });
    const bytes = Number(answer.headers.get('content-length'));
    sum += bytes;
    console.log(`wisp/${path}: ${(bytes / KB).toFixed(1)} kB`);
  }
  console.log(`the package: ${(sum / KB).toFixed(1)} kB`);
  console.log(`while an answer came, the page's longest task took ${longest.toFixed(1)} ms of the processor`);
} finally {
  await site.close();
}
