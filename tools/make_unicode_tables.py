#!/usr/bin/env python3
"""Writes engine/text/unicode_tables.cpp from the data of Unicode 15.1, the version that llama.cpp's tokenizers know.

Usage: pip install unicodedata2==15.1.0 && tools/make_unicode_tables.py > engine/text/unicode_tables.cpp

The general category of every code point goes into a three-stage table: equal blocks are stored once, so a lookup is three
loads whatever the code point. Simple case mappings go into sorted runs of (first, last, step, delta), upper cases of several
characters and title cases that differ from them into a sorted list, first characters of canonical decompositions into sorted
runs of (first, last, base).
"""

import sys

import unicodedata2 as unicodedata

CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn").split()
CODE_POINTS = 0x110000
LEAF = 128  # code points in a leaf block
MIDDLE = 64  # leaf numbers in a middle block
WIDTH = 116  # columns of a line of data


def share_blocks(values, size):
    """Cuts values into blocks of size; returns (number of each block, the distinct blocks in order of appearance)."""
    known, numbers = {}, []
    for start in range(0, len(values), size):
        block = tuple(values[start : start + size])
        numbers.append(known.setdefault(block, len(known)))
    return numbers, [value for block in known for value in block]


def simple_case(character, mapped):
    """The simple mapping of a character; one that maps to several characters stays as it is, but for U+0130."""
    if mapped == "i\u0307":
        return ord("i")
    return ord(mapped) if len(mapped) == 1 else ord(character)


def case_runs(mapping):
    """[(code point, mapped)] -> [first, last, step, delta], runs with a step of 1 or 2 and one delta."""
    runs = []
    for code, mapped in mapping:
        delta = mapped - code
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            if code - last in (1, 2) and (first == last or code - last == step):
                runs[-1][1:3] = [code, code - last]
                continue
        runs.append([code, code, 1, delta])
    return runs


def print_wide_cases():
    """(code point, upper case, title case) where the one is several characters, or the other another text."""
    cases = [(code, chr(code).upper(), chr(code).title()) for code in range(CODE_POINTS)]
    cases = [case for case in cases if len(case[1]) > 1 or case[1] != case[2]]
    quoted = ["{%d, \"%s\", \"%s\"}" % (code, escaped(upper), escaped(title)) for code, upper, title in cases]
    print(f"const WideCase wide_cases[{len(cases)}] = {{")
    print_lines(quoted, 4, ", ")
    print("};")
    print(f"const std::size_t wide_cases_count = {len(cases)};\n")


def escaped(text):
    return "".join(c if c < "\x80" else f"\\u{ord(c):04x}" if c < "\U00010000" else f"\\U{ord(c):08x}" for c in text)


def base_runs():
    """[first, last, base]: runs of characters whose canonical decompositions start with the same character."""
    runs = []
    for code in range(CODE_POINTS):
        base = ord(unicodedata.normalize("NFD", chr(code))[0])
        if base == code:
            continue
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == base:
            runs[-1][1] = code
        else:
            runs.append([code, code, base])
    return runs


def print_lines(words, indent, separator):
    line = " " * indent
    for word in words:
        if len(line) + len(word) + len(separator) > WIDTH:
            print(line.rstrip())
            line = " " * indent
        line += word + separator
    print(line.rstrip())


def print_numbers(kind, name, values):
    print(f"const {kind} {name}[{len(values)}] = {{")
    print_lines([str(value) for value in values], 4, ", ")
    print("};\n")


def print_leaves(leaves):
    """One letter a code point, 'A' for the first category: short in the source, still plain bytes in the program."""
    text = "".join(chr(ord("A") + value) for value in leaves).replace("\\", "\\\\")
    print(f"const char category_leaves[{len(leaves)} + 1] =")
    lines, start = [], 0
    while start < len(text):
        end = min(start + WIDTH - 6, len(text))
        if text[start:end].count("\\") % 2 == 1:
            end -= 1  # keep an escaped backslash whole
        lines.append('    "' + text[start:end] + '"')
        start = end
    print("\n".join(lines) + ";\n")


def print_runs(name, runs):
    print(f"const CaseRun {name}[{len(runs)}] = {{")
    print_lines([f"{{{first}, {last}, {step}, {delta}}}" for first, last, step, delta in runs], 4, ", ")
    print("};")
    print(f"const std::size_t {name}_count = {len(runs)};\n")


def main():
    categories = [CATEGORIES.index(unicodedata.category(chr(code))) for code in range(CODE_POINTS)]
    leaf_numbers, leaves = share_blocks(categories, LEAF)
    top, middle = share_blocks(leaf_numbers, MIDDLE)
    if max(top) > 255 or max(middle) > 255:
        sys.exit("more than 256 distinct blocks: widen category_top or category_middle, here and in unicode_tables.h")
    lower, upper = [], []
    for code in range(CODE_POINTS):
        character = chr(code)
        low, up = simple_case(character, character.lower()), simple_case(character, character.upper())
        if low != code:
            lower.append((code, low))
        if up != code:
            upper.append((code, up))

    print(f"// Unicode {unicodedata.unidata_version}. Written by tools/make_unicode_tables.py; do not edit.")
    print('#include "text/unicode_tables.h"\n')
    print("// clang-format off")
    print("namespace wisp::text::tables {\n")
    print_numbers("std::uint8_t", "category_top", top)
    print_numbers("std::uint8_t", "category_middle", middle)
    print_leaves(leaves)
    print_runs("lower_runs", case_runs(lower))
    print_runs("upper_runs", case_runs(upper))
    print_wide_cases()
    bases = base_runs()
    print(f"const BaseRun base_runs[{len(bases)}] = {{")
    print_lines([f"{{{first}, {last}, {base}}}" for first, last, base in bases], 4, ", ")
    print("};")
    print(f"const std::size_t base_runs_count = {len(bases)};\n")
    print("}  // namespace wisp::text::tables")


if __name__ == "__main__":
    sys.exit(main())
