// Serves dist/ with the headers that threads need: node serve.mjs [--port N] [--no-headers]. Text and modules are sent in
// Brotli, a model by ranges.
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

import { HEADERS, TYPES } from './headers.mjs';

const dist = fileURLToPath(new URL('./dist/', import.meta.url));

// "bytes=A-B" or "bytes=A-", as far as it lies in the file; undefined where the whole file is asked for.
function rangeOf(header, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (!match) return undefined;
  const begin = Number(match[1]);
  const end = Math.min(match[2] === '' ? size - 1 : Number(match[2]), size - 1);
  return { begin, end, isValid: begin <= end };
}

const isText = file => /\.(html|js|css|wasm|svg|webmanifest|json)$/.test(file);
const compress = promisify(brotliCompress);

/** Files in Brotli, made once: a static host has them ready. */
class Packed {
  #made = new Map(); // bytes by file and version
  constructor(quality) {
    this.params = { [constants.BROTLI_PARAM_QUALITY]: quality };
  }
  async of(file, version) {
    const key = `${file} ${version}`;
    if (!this.#made.has(key)) this.#made.set(key, compress(await readFile(file), { params: this.params }));
    return this.#made.get(key);
  }
}

/**
 * @param {{port?: number, host?: string, headers?: Record<string, string>, folder?: string,
 *   quality?: number, onRequest?: (path: string) => void}} settings `quality` of Brotli; 5 is made at once, 11 is what a host has ready
 * @returns {Promise<{url: string, close(): void}>}
 */
export async function serve({ port = 0, host = '127.0.0.1', headers = HEADERS, folder = dist, quality = 5, onRequest = () => {} } = {}) {
  const packed = new Packed(quality);
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
    onRequest(path);
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    try {
      const { size, mtimeMs } = await stat(file).then(found => (found.isFile() ? found : Promise.reject(new Error('no file'))));
      const range = rangeOf(request.headers.range, size);
      const all = {
        ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Accept-Ranges': 'bytes',
        ETag: `"${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}"`, 'Cache-Control': 'no-cache',
      };
      if (!range && size > 0 && isText(file) && /\bbr\b/.test(request.headers['accept-encoding'] ?? '')) {
        const bytes = await packed.of(file, all.ETag);
        response.writeHead(200, { ...all, 'Content-Encoding': 'br', 'Content-Length': bytes.length, Vary: 'Accept-Encoding' });
        return response.end(request.method === 'HEAD' ? undefined : bytes);
      }
      if (range && !range.isValid) return response.writeHead(416, { ...all, 'Content-Range': `bytes */${size}` }).end();
      const { begin, end } = range ?? { begin: 0, end: size - 1 };
      response.writeHead(range ? 206 : 200, {
        ...all, 'Content-Length': end - begin + 1, ...(range && { 'Content-Range': `bytes ${begin}-${end}/${size}` }),
      });
      if (request.method === 'HEAD' || size === 0) return response.end();
      createReadStream(file, { start: begin, end }).on('error', () => response.destroy()).pipe(response);
    } catch {
      response.writeHead(404, { ...headers, 'Content-Type': 'text/plain' }).end('not here\n');
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return { url: `http://${host}:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' }, 'no-headers': { type: 'boolean' } } });
  const { url } = await serve({ port: Number(values.port), headers: values['no-headers'] ? {} : HEADERS });
  console.log(`wisp is at ${url}/`);
}
