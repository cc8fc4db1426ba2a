#!/usr/bin/env python3
"""terminal_svg.py OUT.svg COMMAND [COMMAND...]: runs shell commands and draws what they really printed as a terminal.

The picture in the README is made by

    PATH=$PWD/build/bin:$PATH tools/terminal_svg.py docs/images/run.svg \
      'wisp chat models/wisp-stories.gguf --prompt "Tell me a story about a little cat." --temp 0.6 --top-p 0.9 --seed 6'

Commands run in the repository's root; stdout is drawn bright, stderr dim, in the order in which they came.
"""
import html
import os
import selectors
import subprocess
import sys
import textwrap

COLUMNS = 92
CHARACTER = 8.4  # width in pixels of a 14 pixel monospace character
LINE = 20
PADDING = 18
TITLE_BAR = 34
COLOURS = {"prompt": "#7ee787", "command": "#e6edf3", "out": "#e6edf3", "err": "#8b949e"}


def run(command):
    """Pieces of (stream, text) in the order of arrival; fails when the command does."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    process = subprocess.Popen(command, shell=True, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ, "out")
    selector.register(process.stderr, selectors.EVENT_READ, "err")
    pieces = []
    while selector.get_map():
        for key, _ in selector.select():
            chunk = os.read(key.fd, 65536)
            if not chunk:
                selector.unregister(key.fileobj)
            elif pieces and pieces[-1][0] == key.data:
                pieces[-1] = (key.data, pieces[-1][1] + chunk)
            else:
                pieces.append((key.data, chunk))
    if process.wait() != 0:
        sys.exit(f"{command}: exit code {process.returncode}")
    return [(stream, chunk.decode("utf-8", "replace")) for stream, chunk in pieces]


def wrapped(text, width):
    """Lines of at most `width` characters, broken at blanks where there are any."""
    for line in text.split("\n"):
        yield from textwrap.wrap(line, width, drop_whitespace=True, break_long_words=True) or [""]


def transcript(commands):
    """Lines of [(colour, text)...]."""
    lines = []
    for command in commands:
        first, *rest = wrapped(command, COLUMNS - 4)
        lines.append([("prompt", "$ "), ("command", first + (" \\" if rest else ""))])
        lines += [[("command", "    " + line)] for line in rest]
        for stream, text in run(command):
            lines += [[(stream, line)] for line in wrapped(text.strip("\n"), COLUMNS)]
        lines.append([])
    return lines[:-1]


def draw(lines):
    width = round(COLUMNS * CHARACTER + 2 * PADDING)
    height = TITLE_BAR + len(lines) * LINE + PADDING
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        "<title>wisp in a terminal</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
    ]
    for x, colour in ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840")):
        parts.append(f'<circle cx="{x}" cy="17" r="6" fill="{colour}"/>')
    parts.append('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">')
    for row, line in enumerate(lines):
        spans = "".join(f'<tspan fill="{COLOURS[kind]}">{html.escape(text)}</tspan>' for kind, text in line)
        parts.append(f'<text x="{PADDING}" y="{TITLE_BAR + row * LINE + 14}">{spans}</text>')
    return "\n".join([*parts, "</g>", "</svg>", ""])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    picture = draw(transcript(sys.argv[2:]))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
