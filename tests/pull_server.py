#!/usr/bin/env python3
"""A local server that misbehaves as it is told: what `wisp pull` is tested against.

    pull_server.py FOLDER

Serves the files of FOLDER on two ports of 127.0.0.1 and prints "PORT PORT2" as its first line; ends when its standard
input does. The first part of a path says how it behaves, several joined by "+":

    /plain/x.gguf             ranges, ETag
    /cut=N/x.gguf             each connection is cut after N bytes of body
    /stall=N/x.gguf           the first answer stalls after N bytes; later ones are whole
    /slow=MS/x.gguf           MS milliseconds before each 64 KiB
    /noranges/, /gzip/, /html/, /loop/, /tofile/
    /length=N/                Content-Length is off by N
    /wrongrange/              Content-Range names other bytes than were asked for
    /etags/                   another ETag with each answer
    /changed=N/               after N answers, another file of the same size with another ETag
    /status=S, /busy=N/       status S; 503 with Retry-After for the first N answers
    /other/                   redirects to the same path at the second port
    /nolength/                without Content-Length and ranges, ended by the connection
    /short=N/                 a file that is N bytes shorter than it should be, consistently

A Hugging Face of one repository for each folder hf/OWNER/REPO: its tree in pages of 2, its files by /OWNER/REPO/resolve/REV/...,
redirected to the second port, where an Authorization header is refused. OWNER "private" wants the token "secret-token";
"lying" tells wrong hashes, "sizes" wrong sizes, "missing" answers as if nothing were there.

GET /_log answers with one JSON object: for each path the bodies' bytes that were sent, the number of answers, and whether an
Authorization header came to the second port.
"""
import hashlib
import http.server
import json
import os
import re
import socketserver
import sys
import threading
import time
import urllib.parse

ROOT = os.path.abspath(sys.argv[1])
LOCK = threading.Lock()
LOG = {"bytes": {}, "answers": {}, "ranges": {}, "leaked": False, "authorized": 0}
PORTS = []


def count(table, key, n=1):
    with LOCK:
        LOG[table][key] = LOG[table].get(key, 0) + n
        return LOG[table][key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        try:
            self.answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        names = [name.lower() for name, _ in headers]
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        second = self.server.server_address[1] == PORTS[1]
        path = urllib.parse.unquote(self.path.split("?")[0])
        if "authorization" in self.headers:
            with LOCK:
                LOG["authorized"] += 1
                LOG["leaked"] |= second
        if path == "/_log":
            with LOCK:
                body = json.dumps(LOG).encode()
            return self.reply(200, body)
        if path == "/_forget":
            with LOCK:
                LOG["bytes"].clear()
                LOG["answers"].clear()
                LOG["ranges"].clear()
            return self.reply(200)
        n = count("answers", path)
        tree = re.fullmatch(r"/api/models/([^/]+)/([^/]+)/tree/(.+)", path)
        if tree:
            return self.tree(*tree.groups())
        resolve = re.fullmatch(r"/([^/]+)/([^/]+)/resolve/([^/]+)/(.+)", path)
        if resolve:
            return self.resolve(*resolve.groups())
        ways, _, name = path[1:].partition("/")
        ways = {w.partition("=")[0]: int(w.partition("=")[2] or 0) for w in ways.split("+")}
        if "other" in ways and not second:
            return self.reply(302, headers=[("Location", f"http://127.0.0.1:{PORTS[1]}{self.path}")])
        if "loop" in ways:
            return self.reply(302, headers=[("Location", self.path)])
        if "tofile" in ways:
            return self.reply(302, headers=[("Location", "file:///etc/passwd")])
        if "status" in ways:
            return self.reply(ways["status"], b"no")
        if "busy" in ways and n <= ways["busy"]:
            return self.reply(503, b"busy", [("Retry-After", "0")])
        if "html" in ways:
            return self.reply(200, b"<!DOCTYPE html><p>Not found", [("Content-Type", "text/html")])
        self.file(path, os.path.join(ROOT, name), ways, n)

    def file(self, path, file, ways, n, extra=()):
        if not os.path.isfile(file):
            return self.reply(404, b"not found")
        with open(file, "rb") as f:
            data = f.read()
        if "short" in ways:
            data = data[:-ways["short"]]
        tag = hashlib.md5(data).hexdigest()
        if "changed" in ways and n > ways["changed"]:
            data = data[:-1] + bytes([data[-1] ^ 1])
            tag = "new"
        if "etags" in ways:
            tag = f"tag-{n}"
        start, end, status = 0, len(data), 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", f'"{tag}"') == f'"{tag}"' or "etags" in ways
        if asked and same and not {"noranges", "nolength", "gzip"} & ways.keys():
            start = int(asked[1])
            end = min(int(asked[2]) + 1 if asked[2] else len(data), len(data))
            if start >= len(data):
                return self.reply(416, b"", [("Content-Range", f"bytes */{len(data)}")])
            status = 206
            count("ranges", path)
        body = data[start:end]
        self.send_response(status)
        for name, value in extra:
            self.send_header(name, value)
        self.send_header("ETag", f'"{tag}"')
        if status == 206:
            first = start + 1 if "wrongrange" in ways else start
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        if "gzip" in ways:
            self.send_header("Content-Encoding", "gzip")
        if "nolength" in ways:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body) + ways.get("length", 0)))
        self.end_headers()
        limit = len(body) + min(ways.get("length", 0), 0)
        if "cut" in ways:
            limit = min(limit, ways["cut"])
        if "stall" in ways and n == 1:
            limit = min(limit, ways["stall"])
        for at in range(0, limit, 65536):
            if "slow" in ways:
                time.sleep(ways["slow"] / 1000)
            piece = body[at:min(at + 65536, limit)]
            self.wfile.write(piece)
            count("bytes", path, len(piece))
        if "stall" in ways and n == 1:
            self.wfile.flush()
            time.sleep(20)
        if limit < len(body) or "length" in ways:
            self.close_connection = True

    def tree(self, owner, repo, revision):
        if owner == "missing":
            return self.reply(404, b'{"error":"Repository not found"}')
        if owner == "private" and self.headers.get("Authorization") != "Bearer secret-token":
            return self.reply(401, b'{"error":"Invalid username or password."}')
        if owner == "broken":
            return self.reply(200, b'[{"type": "file", "path": "a.gguf"')
        folder = os.path.join(ROOT, "hf", owner, repo)
        if not os.path.isdir(folder) or revision not in ("main", "v1"):
            return self.reply(404, b'{"error":"not found"}')
        entries = [{"type": "file", "oid": "0", "size": 12, "path": "README.md"}]
        for where, _, names in os.walk(folder):
            for name in names:
                file = os.path.join(where, name)
                with open(file, "rb") as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
                size = os.path.getsize(file) + (5 if owner == "sizes" else 0)
                if owner == "lying":
                    digest = digest[::-1]
                path = os.path.relpath(file, folder)
                entries.append({"type": "file", "oid": "1", "size": size, "path": path,
                                "lfs": {"oid": digest, "size": size, "pointerSize": 130}})
        if owner == "hostile":
            for path in ("../../../escape.gguf", "/etc/escape.gguf", "a/../../escape.gguf", "a\u0000.gguf", ""):
                entries.append({"type": "file", "size": 10, "path": path})
            entries += [{"type": "file", "path": 5, "size": "x"}, [], None, {"type": "file", "path": "n.gguf", "size": -1}]
        query = urllib.parse.parse_qs(self.path.partition("?")[2])
        page = int(query.get("cursor", ["0"])[0])
        headers = [("Content-Type", "application/json")]
        if 2 * page + 2 < len(entries):
            link = f"http://127.0.0.1:{PORTS[0]}/api/models/{owner}/{repo}/tree/{revision}?recursive=true&cursor={page + 1}"
            headers.append(("Link", f'<{link}>; rel="next"'))
        self.reply(200, json.dumps(entries[2 * page:2 * page + 2]).encode(), headers)

    def resolve(self, owner, repo, revision, name):
        file = os.path.join(ROOT, "hf", owner, repo, name)
        if self.server.server_address[1] == PORTS[1]:
            if "authorization" in self.headers:
                return self.reply(400, b"only one way of authorization")
            return self.file(self.path.split("?")[0], file, {}, 1)
        if owner == "private" and self.headers.get("Authorization") != "Bearer secret-token":
            return self.reply(403, b"")
        if not os.path.isfile(file):
            return self.reply(404, b"")
        with open(file, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        if owner == "lying":
            digest = digest[::-1]
        self.reply(302, headers=[
            ("Location", f"http://127.0.0.1:{PORTS[1]}{self.path}?X-Signature=hidden"),
            ("X-Linked-Size", str(os.path.getsize(file))), ("X-Linked-Etag", f'"{digest}"'),
            ("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")])


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
PORTS.extend(server.server_address[1] for server in servers)
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(*PORTS, flush=True)
sys.stdin.read()
