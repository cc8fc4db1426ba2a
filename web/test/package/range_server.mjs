// The repository's files, and one model of any size by ranges: what a page needs to load it as from a host of models. It
// counts what was sent from where.
import { createReadStream, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/**
 * @param {Map<string, string>} models where a path of the server lies on the disk
 * @param {number} mark bytes of a model from this offset on are counted by themselves
 * @returns {Promise<{url: string, counts: {sent: number, beyond: number, open: number, mostOpen: number}, close(): void}>}
 */
export async function serveModels(models, mark) {
  const counts = { sent: 0, beyond: 0, open: 0, mostOpen: 0 };

  function sendRange(path, request, response) {
    const { size } = statSync(path);
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const first = asked ? Number(asked[1]) : 0;
    const last = asked ? Math.min(Number(asked[2]), size - 1) : size - 1;
    if (first > last) return response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    response.writeHead(asked ? 206 : 200, {
      'Content-Length': last - first + 1,
      'Content-Type': 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      ETag: `"${size}"`,
      ...(asked && { 'Content-Range': `bytes ${first}-${last}/${size}` }),
      ...ISOLATED,
    });
    if (request.method === 'HEAD') return response.end();
    counts.mostOpen = Math.max(counts.mostOpen, ++counts.open);
    let at = first;
    const stream = createReadStream(path, { start: first, end: last, highWaterMark: 1 << 20 });
    stream.on('data', piece => {
      counts.sent += piece.length;
      at += piece.length;
      counts.beyond += Math.min(piece.length, Math.max(0, at - mark));
    });
    stream.on('error', () => response.destroy());
    response.on('close', () => {
      --counts.open;
      stream.destroy(); // also where the page gave up
    });
    stream.pipe(response);
  }

  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
    try {
      const model = models.get(path);
      if (model !== undefined) return sendRange(model, request, response);
      if (path === '/favicon.ico') return response.writeHead(204).end();
      const bytes = path === '/' ? Buffer.from('<!doctype html><title>wisp</title>') : await readFile(root + path);
      response.writeHead(200, {
        'Content-Length': bytes.length,
        'Content-Type': TYPES[extname(path)] ?? (path === '/' ? 'text/html' : 'application/octet-stream'),
        ...ISOLATED,
      });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    counts,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
