// Pre-tokenizers: how each family of byte-level BPE models cuts text into words before merging. The families define
// theirs by regular expressions; here they are hand-written scanners, linear in the text, named after the families.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "text/character_class.h"
#include "text/scanners.h"

namespace wisp::text {

struct Stage {
  Scanner scan;
  Classes ascii_starts = 0xFF;  // classes of the ASCII characters that a match may start with: others are not tried
};

// tokenizer.ggml.pre, and what comes with it.
struct PretokenizerScheme {
  std::string_view name;
  // Applied one after the other: each cuts every piece that the ones before left into its matches and what is between.
  std::span<const Stage> stages;
  bool ignore_merges = false;  // a word that is a token as a whole is taken without merging
  bool add_bos = false;        // where the file does not say
  // Tokens are spelled as they are, spaces as U+2581, unknown bytes as <0xXX>: SentencePiece's ways with BPE's merges.
  bool raw = false;
  bool whole_breaks = false;  // raw: a run of line breaks that is a token is taken without merging
};

// nullptr for a name that is not known. "" (no key in the file) is "default".
const PretokenizerScheme* find_pretokenizer(std::string_view name);
// "default, gpt-2, ...", for messages.
std::string known_pretokenizers();

// Calls emit(word) for each word of a piece, in order; together they are the piece.
template <class Emit>
void pretokenize(std::span<const Stage> stages, std::string_view piece, const Emit& emit) {
  if (stages.empty()) return emit(piece);
  const auto deeper = [&](std::size_t from, std::size_t to) {
    if (from < to) pretokenize(stages.subspan(1), piece.substr(from, to - from), emit);
  };
  const auto [scan, ascii_starts] = stages.front();
  const auto cannot_start = [piece, ascii_starts](std::size_t at) {
    const auto byte = static_cast<unsigned char>(piece[at]);
    return byte < 0x80 ? (kAsciiClasses[byte] & ascii_starts) == 0 : (byte & 0xC0u) == 0x80u;
  };
  std::size_t unmatched = 0;  // start of what no match has covered
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t end = cannot_start(at) ? at : scan(piece, at);
    if (end == at) {
      ++at;
      continue;
    }
    deeper(unmatched, at);
    deeper(at, end);
    unmatched = at = end;
  }
  deeper(unmatched, piece.size());
}

}  // namespace wisp::text
