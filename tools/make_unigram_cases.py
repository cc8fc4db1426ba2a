#!/usr/bin/env python3
"""Writes engine/text/unigram_cases.json: small unigram vocabularies, and the tokens that SentencePiece makes of texts.

Usage: pip install sentencepiece==0.2.3 protobuf==7.36.2 && tools/make_unigram_cases.py > engine/text/unigram_cases.json

Trains three models of 320 pieces on made-up sentences: with a character map and spaces merged, with byte fallback, and with
neither. The character map is a short one of our own, in the form that SentencePiece compiles all of them to.
"""

import base64
import io
import json
import random
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

WORDS = (
    "the a of to and in is was for on that with as at by it from are this an be or his have not were which but their one all "
    "river stone light water winter morning children mountain garden letter window silence story village harbour lantern "
    "walking singing brightly slowly remember remembered remembering forgotten wanderer wandering 12 1984 3.14 d'\u00e9t\u00e9 "
    "na\u00efve caf\u00e9 \u00fcber stra\u00dfe \u4f60\u597d \u4e16\u754c \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u0e44\u0e17\u0e22"
).split()
# What a run of characters is replaced by: wide forms, ligatures, white space, marks behind letters, and nothing at all.
RULES = {
    "\uff21": "A", "\uff42": "b", "\ufb01": "fi", "\u2026": "...", "\u3000": " ", "\t": " ", "\n": " ", "\u00a0": " ",
    "e\u0301": "\u00e9", "e\u0301\u0302": "\u1ebf", "\u200b": "", "\u2460": "1", "\u33a5": "m3", "\u00bd": "1\u20442",
}  # fmt: skip
POOL = list("abcdeghilmnorstuwy ABC019.,!?'-()") + list(RULES) + [
    "  ", "   ", " the", " river", "remember", "ing", "\u4f60", "\u754c", "\u0e17", "\u043c\u0438", "\U0001f600", "\u00e9",
    "e", "\u0301", "\u0302", "~", "\u6f22",
]  # fmt: skip


def train(choose, **options):
    sentences = [" ".join(choose.choices(WORDS, k=choose.randrange(4, 12))) + "." for _ in range(3000)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, model_type="unigram", vocab_size=320, num_threads=1,
        character_coverage=0.98, minloglevel=2, hard_vocab_limit=False, **options,
    )  # fmt: skip
    return model.getvalue()


def vocabulary(serialized):
    proto = sentencepiece_model_pb2.ModelProto.FromString(serialized)
    return {
        "tokens": [piece.piece for piece in proto.pieces],
        "scores": [piece.score for piece in proto.pieces],
        "kinds": [piece.type for piece in proto.pieces],  # numbered as GGUF does
        "charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode(),
        "add_space_prefix": proto.normalizer_spec.add_dummy_prefix,
        "remove_extra_whitespaces": proto.normalizer_spec.remove_extra_whitespaces,
    }


def main():
    choose = random.Random(77)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for key, value in RULES.items():
            rules.write(" ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in value) + "\n")
        rules.flush()
        models = [
            train(choose, normalization_rule_tsv=rules.name),
            train(choose, normalization_rule_tsv=rules.name, byte_fallback=True, remove_extra_whitespaces=False),
            train(choose, normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False),
        ]
    out = []
    for model in models:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        texts = ["".join(choose.choices(POOL, k=choose.randrange(1, 30))) for _ in range(150)]
        # Of white space alone SentencePiece and llama.cpp make different things.
        texts = [text for text in texts if text.strip()]
        out.append({**vocabulary(model), "texts": texts, "ids": [processor.encode(text) for text in texts]})
    print("[" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in out) + "]")


if __name__ == "__main__":
    sys.exit(main())
