#!/usr/bin/env python3
"""Writes engine/text/pretokenizer_cases.json: random texts, and where each pre-tokenizer family cuts them.

Usage: pip install regex==2026.11.19 && tools/make_pretokenizer_cases.py > engine/text/pretokenizer_cases.json

The cuts come from the families' regular expressions, run by Python's regex module; wisp has hand-written scanners in their
place. The expressions are the ones that llama.cpp runs, so where it departs from a model's own tokenizer.json they do too:
\\p{Lu} and \\p{Ll} are any letter (any but a-z, any but A-Z in the family of GPT-4o), and numbers in groups of three stand
with what is before them.
"""

import json
import random
import sys

import regex

CONTRACTION = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
SPACES = r"\s+(?!\S)|\s+"
ENDS = rf"\s*[\r\n]+|{SPACES}"
GPT2 = rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|{SPACES}"
CASCADE = "|".join(rf"\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4)) + r"|\s{1,2}(?!\S)|\s"
HAN_AND_KANA = "[\u4e00-\u9fa5\u3040-\u30ff]+"
EAST_ASIAN = r"(?:(?!\s)[\u0800-\u9fa5\uac00-\ud7a3\ud7b0-\ud7ff])+"
BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
# A group of numbers, three but for the first of a run, with what is before it; what is left at the end.
TO_NUMBER_GROUP = r"\P{N}*(?:(?<!\p{N})\p{N}{1,2}(?=(?:\p{N}{3})*(?!\p{N}))|\p{N}{3}(?=(?:\p{N}{3})*(?!\p{N})))|\P{N}+"
ASIAN_SCRIPTS = (
    r"(?:(?!\s)[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ud7a3\ud7b0-\ud7ff\ue000-\ufaff\u3040-\u30ff\uff65-\uff9f\u2f00-\u2fdf"
    r"\u0e40-\u0eff\u1780-\u17ff\u1000-\u109f\u1100-\u11ff])+"
)
HAN = (
    r"\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f\U0002b820-\U0002ceaf"
    r"\U0002ceb0-\U0002ebef\uf900-\ufaff\U0002f800-\U0002fa1f"
)
YOUTU_SCRIPTS = (
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+"
    "|[\u3105-\u312f]+|" + HAN_AND_KANA
)
DEEPSEEK_MARKS = r"\s?(?:(?!\s)[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002])+"


def words(word=r"\p{L}", digits=r"\p{N}", contractions=True, not_word=r"[^\s\p{L}\p{N}]", behind=r"[\r\n]*", ends=ENDS):
    first = f"(?:{CONTRACTION})|" if contractions else ""
    return rf"{first}[^\r\n\p{{L}}\p{{N}}]?{word}+|{digits}| ?{not_word}+{behind}|{ends}"


def cased(upper, lower, digits, contractions=True):
    suffix = f"(?:{CONTRACTION})?" if contractions else ""
    lead = r"[^\r\n\p{L}\p{N}]?"
    return (
        f"{lead}{upper}*{lower}+{suffix}|{lead}{upper}+{lower}*{suffix}|{digits}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{ENDS}"
    )


def deepseek3(behind=r"[\r\n]*", ends=ENDS):
    return (
        r"[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+" rf"| ?[\p{{P}}\p{{S}}]+{behind}|{ends}"
    )


ANY_LETTER = r"[\p{L}\p{M}]"
FAMILIES = {
    "default": [r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "gpt-2": [GPT2],
    "starcoder": [r"\p{N}", GPT2],
    "falcon": [r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
    "chameleon": ["<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", "[\t\n]|    |  ", r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]", GPT2],
    "llama-bpe": [words(digits=r"\p{N}{1,3}")],
    "qwen2": [words()],
    "qwen35": [words(word=ANY_LETTER, not_word=r"[^\s\p{L}\p{M}\p{N}]")],
    "laguna": [r"[^\n]+|[\n]+", words()],
    "seed-coder": [words(not_word=r"[^\s\p{L}\p{N}\r\n]", behind="")],
    "ufakzeka": [words(contractions=False)],
    "minicpm5": [r"\p{N}{1,3}", words(digits=r"\p{N}+")],
    "jais-2": [words(digits=r"\p{N}{1,3}", ends=r"\s*[\r\n]+|" + CASCADE)],
    "exaone-moe": [words(word=r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)", behind=r"[\r\n/]?", ends=rf"\s*[\r\n]|{SPACES}")],
    "gpt-4o": [cased(r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])", r"\p{N}{1,3}")],
    "tekken": [cased(r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])", r"\p{N}", False)],
    "granite-embed-multi-97m": [cased(r"(?:(?=[\p{L}\p{M}])[^a-z])", r"(?:(?=[\p{L}\p{M}])[^A-Z])", r"\p{N}{1,3}")],
    "tiny_aya": [TO_NUMBER_GROUP, cased(ANY_LETTER, ANY_LETTER, r"\p{N}{1,3}")],
    "youtu": [YOUTU_SCRIPTS, cased(ANY_LETTER, ANY_LETTER, r"\p{N}")],
    "kimi-k2": [
        rf"[{HAN}]+|[^\r\n\p{{L}}\p{{N}}]?(?:(?![{HAN}])\p{{L}})+(?:{CONTRACTION})?|\p{{N}}{{1,3}}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{ENDS}"
    ],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", HAN_AND_KANA, deepseek3()],
    "spark2_5": [r"\p{N}{1,3}", HAN_AND_KANA, deepseek3("", rf"[\r\n]|{SPACES}"), r"\p{N}"],
    "afmoe": [TO_NUMBER_GROUP, ASIAN_SCRIPTS, deepseek3()],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "superbpe": [r"\p{N}+", "(?=([0-9]{3})+(?![0-9]))"],
    "gemma4": [r"[^\n]+|[\n]+"],
    "whitespace": [r"\S+"],
}

# Of every class, and what single expressions ask for; nothing that newer versions of Unicode class otherwise.
POOL = list("aBcDzZ129 '\n\r\t.,!?/s$<>#^`|~_-({[") + [
    chr(code)
    for code in (
        0xA0, 0xE9, 0xC9, 0x301, 0x303, 0x967, 0x4E2D, 0x6587, 0x1F600, 0x200D, 0x20AC, 0x85, 0x3000, 0x2003, 0xB2, 0x2167,
        0x3042, 0x30AB, 0xAC00, 0x3131, 0x3002, 0xFF0C, 0x2026, 0x201C, 0x2019, 0x2014, 0xFF1A, 0x3105, 0xE01, 0xE31, 0xE40,
        0x915, 0x93F, 0x1C5, 0x2B0, 0x3007, 0xF900, 0x20BB7, 0x800, 0xFFFD, 0xAA, 0xDF, 0xE000, 0x200B, 0x1, 0x6D4,
    )
]  # fmt: skip
PARTS = ["'s", "'re", "'LL", "'T", "don't", "  ", "    ", "\r\n", " \n", "\n\n", " a", "12", "123", "1234567", "HELLO", "World"]
PARTS += ["IMGIMGABZ", "<sentinel:12>", "....", "\u00e9A", "BC\u00e9", "a b", "e\u0301 x", " " * 17, "\t\t\t", "x\u4e2dy"]


def make_texts(count):
    choose = random.Random(2311)
    texts = []
    for _ in range(count):
        pieces = [choose.choice(choose.choice((POOL, POOL, PARTS))) for _ in range(choose.randrange(3, 24))]
        texts.append("".join(pieces))
    return texts


def split(pieces, expression):
    """Each piece becomes the matches in it and what is between; a match of nothing cuts."""
    out = []
    for piece in pieces:
        start = 0
        for match in expression.finditer(piece):
            out += [piece[start : match.start()], match.group()]
            start = match.end()
        out.append(piece[start:])
    return [piece for piece in out if piece]


def main():
    texts = make_texts(110)
    cuts = {}
    for name, stages in FAMILIES.items():
        compiled = [regex.compile(stage) for stage in stages]
        cuts[name] = []
        for text in texts:
            pieces = [text]
            for stage in compiled:
                pieces = split(pieces, stage)
            cuts[name].append([len(piece.encode()) for piece in pieces])
    print('{"texts": [')
    print(",\n".join(json.dumps(text) for text in texts) + "],")
    print('"word_bytes": {')
    print(",\n".join(f'"{name}": ' + json.dumps(each, separators=(",", ":")) for name, each in cuts.items()) + "}}")


if __name__ == "__main__":
    sys.exit(main())
