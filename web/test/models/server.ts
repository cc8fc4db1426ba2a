// A server of models that can misbehave in every way that the tests need, and counts what it sent.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface Behaviour {
  /** Of one request, in its turn; return true where it was answered. */
  intercept?: (request: IncomingMessage, response: ServerResponse, turn: number) => boolean | Promise<boolean>;
  ranges?: boolean;
  etag?: string | undefined;
  lastModified?: string;
  gzip?: boolean;
  /** The body is cut after so many bytes, of every answer or of the turns that are named. */
  cutAfter?: (turn: number) => number | undefined;
  /** ms between portions of 16 KiB */
  slow?: number;
}

type Statics = readonly [type: string, content: string | Uint8Array];

export interface Server {
  readonly url: string;
  readonly files: Map<string, Uint8Array>;
  behaviour: Behaviour;
  /** Pages and scripts that are served as they are. */
  statics: (path: string) => Statics | undefined | Promise<Statics | undefined>;
  /** Bytes of bodies of files that were sent. */
  sent: number;
  readonly requests: { method: string; path: string; range: string | undefined; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** A file that begins as a GGUF one does; other seeds give other bytes. */
export function modelBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  bytes.set(new TextEncoder().encode('GGUF').subarray(0, size));
  return bytes;
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The answer of /api/models/OWNER/REPO/tree/main. */
export const treeOf = (files: Record<string, Uint8Array>): unknown[] =>
  Object.entries(files).map(([path, bytes]) => ({
    type: 'file',
    path,
    size: 134,
    lfs: { oid: hashOf(bytes), size: bytes.length },
  }));

export async function startServer(behaviour: Behaviour = {}): Promise<Server> {
  const files = new Map<string, Uint8Array>();
  const requests: Server['requests'] = [];
  let turn = 0;
  const http = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url!, 'http://host').pathname);
    const page = await server.statics(path);
    if (page !== undefined) {
      return void response
        .writeHead(200, {
          'Content-Type': page[0],
          'Cross-Origin-Opener-Policy': 'same-origin',
          'Cross-Origin-Embedder-Policy': 'require-corp',
        })
        .end(page[1]);
    }
    const mine = turn++;
    requests.push({ method: request.method!, path, range: request.headers.range, headers: request.headers });
    response.on('error', () => {});
    if (await server.behaviour.intercept?.(request, response, mine)) return;
    const bytes = files.get(path);
    if (bytes === undefined) return void response.writeHead(404).end('nothing here');
    const { ranges = true, lastModified, gzip, cutAfter, slow } = server.behaviour;
    const etag = 'etag' in server.behaviour ? server.behaviour.etag : `"${hashOf(bytes).slice(0, 16)}"`;
    const headers: Record<string, string | number> = {
      ...(etag !== undefined && { ETag: etag }),
      ...(lastModified !== undefined && { 'Last-Modified': lastModified }),
    };
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    let body = bytes;
    let status = 200;
    const mayRange = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    if (ranges && asked !== null && mayRange) {
      const first = Number(asked[1]);
      const last = Math.min(Number(asked[2]), bytes.length - 1);
      if (first >= bytes.length)
        return void response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      body = bytes.subarray(first, last + 1);
      status = 206;
      headers['Content-Range'] = `bytes ${first}-${last}/${bytes.length}`;
    }
    if (gzip) {
      body = gzipSync(body);
      headers['Content-Encoding'] = 'gzip';
    }
    headers['Content-Length'] = body.length;
    response.writeHead(status, headers);
    if (request.method === 'HEAD') return void response.end();
    const cut = cutAfter?.(mine);
    const portion = slow === undefined && cut === undefined ? 1 << 20 : 16 << 10;
    for (let at = 0; at < body.length; at += portion) {
      const end = Math.min(body.length, at + portion, cut ?? Infinity);
      if (end <= at) break;
      if (response.destroyed) return;
      server.sent += end - at;
      await new Promise<void>(resolve => response.write(body.subarray(at, end), () => resolve()));
      if (slow !== undefined) await new Promise(resolve => setTimeout(resolve, slow));
    }
    if (cut !== undefined && cut < body.length) {
      await new Promise(resolve => setTimeout(resolve, 5));
      response.destroy();
    } else {
      response.end();
    }
  }

  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  const server: Server = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    files,
    behaviour: { ...behaviour },
    statics: () => undefined,
    sent: 0,
    requests,
    close: () =>
      new Promise(resolve => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}
