// The service worker. It keeps the app's code, so that the page opens without a network; it gives every answer the headers that
// isolate the page, on hosts that give none; and it says where the page and its workers may send anything at all: a worker
// does not inherit its page's policy, so the policy has to come with the worker's script.
// The build puts in: { version, now: files kept at once, later: files kept when they are asked for }.
const SETTINGS = /* settings */ null;

const CODE = `wisp-code-${SETTINGS.version}`;
const POLICY = 'wisp-policy'; // hosts that the user named
const SCOPE = new URL(self.registration.scope);
const HUGGING_FACE = 'https://huggingface.co https://*.huggingface.co https://*.hf.co';

const addressOf = name => new URL(name, SCOPE).href;
const KNOWN = new Set([...SETTINGS.now, ...SETTINGS.later].map(addressOf));

async function allowedHosts() {
  const entry = await (await caches.open(POLICY)).match(addressOf('hosts'));
  return entry ? entry.json() : [];
}

async function allow(host) {
  const url = new URL(host);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return;
  const hosts = new Set([...(await allowedHosts()), url.origin]);
  await (await caches.open(POLICY)).put(addressOf('hosts'), new Response(JSON.stringify([...hosts])));
}

// Of workers. The page itself has a stricter one in its text.
async function workerPolicy() {
  return `default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' ${HUGGING_FACE} `
    + (await allowedHosts()).join(' ');
}

async function withHeaders(answer, url) {
  if (answer.type === 'opaqueredirect' || answer.status === 0) return answer;
  const headers = new Headers(answer.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  if (url.pathname.endsWith('.js')) headers.set('Content-Security-Policy', await workerPolicy());
  return new Response([204, 304].includes(answer.status) ? null : answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

async function answerTo(request, url) {
  const cache = await caches.open(CODE);
  const name = request.mode === 'navigate' ? addressOf('index.html') : url.origin + url.pathname;
  const kept = await cache.match(name);
  if (kept) return withHeaders(kept, url);
  const answer = await fetch(request);
  if (answer.ok && KNOWN.has(name)) await cache.put(name, answer.clone());
  return withHeaders(answer, url);
}

self.addEventListener('install', event => {
  const keep = async () => {
    const cache = await caches.open(CODE);
    // Not what the browser still holds of an older version.
    await cache.addAll(SETTINGS.now.map(name => new Request(addressOf(name), { cache: 'no-cache' })));
    // The module that the older version kept is wanted without a network by this one, too.
    const wanted = [];
    for (const name of SETTINGS.later) if (await caches.match(addressOf(name))) wanted.push(new Request(addressOf(name), { cache: 'no-cache' }));
    await cache.addAll(wanted);
  };
  event.waitUntil(keep());
});

self.addEventListener('activate', event => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name.startsWith('wisp-code-') && name !== CODE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener('fetch', event => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET') return;
  // Only what is the app's: below its folder there may be pages of others, as where it lies at the root of a host. Models come by
  // ranges, and the package keeps them itself.
  const address = url.origin + url.pathname;
  const isApp = event.request.mode === 'navigate' ? address === SCOPE.href || address === addressOf('index.html') : KNOWN.has(address);
  if (isApp) event.respondWith(answerTo(event.request, url));
});

self.addEventListener('message', event => {
  const { type, host, name } = event.data ?? {};
  const done = work => event.waitUntil(work.then(() => event.ports[0]?.postMessage('done'), error => event.ports[0]?.postMessage(String(error))));
  if (type === 'update') done(self.skipWaiting());
  if (type === 'allow') done(allow(host));
  if (type === 'keep' && KNOWN.has(addressOf(name))) {
    done(caches.open(CODE).then(async cache => (await cache.match(addressOf(name))) ?? cache.add(addressOf(name))));
  }
});
