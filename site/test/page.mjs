// A browser on a built site: what it asked for, what its policy refused, and what it said in its console.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { serve } from '../serve.mjs';

const require = createRequire(new URL('../../web/harness/package.json', import.meta.url));
const { chromium } = require('playwright-core');
/** The site with the package itself, and with a stand-in that gives every kind of answer at once. */
export const BUILT = fileURLToPath(new URL('../dist/', import.meta.url));
export const FAKED = fileURLToPath(new URL('../../build/site-fake/', import.meta.url));
const FLAGS = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/**
 * @param {{folder: string, headers?: Record<string, string>, quality?: number, device?: object}} settings
 * @returns what a test needs: page, url, requests (addresses asked for by anything in the page), problems, close()
 */
export async function openSite({ folder, headers, quality, device = {} }) {
  const asked = [];
  const server = await serve({ folder, ...(headers && { headers }), ...(quality && { quality }), onRequest: path => asked.push(path) });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  const context = await browser.newContext({ ...device });
  const requests = [];
  const problems = [];
  // Also those of workers, and of the service worker.
  context.on('request', request => requests.push(request.url()));
  context.on('weberror', error => problems.push(`error: ${error.error()}`));
  context.on('console', message => { if (['error', 'warning'].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`); });
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', event => globalThis.violations.push(`${event.effectiveDirective}: ${event.blockedURI}`));
  });
  const page = await context.newPage();
  await page.goto(`${server.url}/`);
  return {
    page, context, url: server.url, asked, requests, problems,
    violations: () => page.evaluate(() => globalThis.violations),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** The longest time of the processor, in ms, that a task of the page's own thread took during `work`. Others' load does not count. */
export async function longestTask({ page, context }, work) {
  const browser = context.browser();
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline'] });
  await work();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const pages = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid, tdur }) => name === 'RunTask' && pages.has(`${pid} ${tid}`) && tdur > 0);
  if (tasks.length === 0) throw new Error('the trace tells of no task');
  return Math.max(...tasks.map(({ tdur }) => tdur / 1000));
}

export const answered = page => page.getByText('The answer is complete.').waitFor({ state: 'attached', timeout: 60_000 });

/** Loads the model that comes with the site, from the first screen. */
export async function startShipped(page) {
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('textbox', { name: 'Message' }).waitFor({ timeout: 120_000 });
}

export async function say(page, text) {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(text);
  await page.keyboard.press('Enter');
}
