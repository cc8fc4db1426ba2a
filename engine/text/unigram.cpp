#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "text/escaped_spaces.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

constexpr double kUnreached = std::numeric_limits<double>::lowest();

}  // namespace

Result<std::unique_ptr<Tokenizer>> UnigramTokenizer::create(Vocabulary vocabulary) {
  WISP_TRY(Charsmap charsmap, Charsmap::read(vocabulary.charsmap));
  return std::unique_ptr<Tokenizer>(new UnigramTokenizer(std::move(vocabulary), std::move(charsmap)));
}

UnigramTokenizer::UnigramTokenizer(Vocabulary vocabulary, Charsmap charsmap)
    : Tokenizer(std::move(vocabulary)), charsmap_(std::move(charsmap)), tokens_(plain_texts()) {
  scores_.assign(vocabulary_.tokens.size(), 0.0);
  byte_tokens_.fill(-1);
  float lowest = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    const TokenKind kind = vocabulary_.kinds[i];
    const float score = vocabulary_.scores.empty() ? 0.0f : vocabulary_.scores[i];
    // User-defined tokens win over everything else: the others' scores are below 0.
    if (kind != TokenKind::user_defined) scores_[i] = score;
    if (kind == TokenKind::normal) lowest = std::min(lowest, score);
    const std::string& text = vocabulary_.tokens[i];
    if (kind == TokenKind::byte) {
      if (const auto value = byte_token_value(text)) byte_tokens_[*value] = static_cast<TokenId>(i);
    } else if (!is_control(static_cast<TokenId>(i)) && crosses_words(text)) {
      words_stand_alone_ = false;
    }
  }
  unknown_score_ = lowest - 10.0f;
  byte_fallback_ = std::ranges::find(byte_tokens_, -1) == byte_tokens_.end();
}

// White space is whatever the character map makes a space of. Each stretch of other characters gets one in front where
// the vocabulary merges spaces, only the first one where it adds a prefix.
std::string UnigramTokenizer::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  const bool merges = vocabulary_.remove_extra_whitespaces;
  bool wants_prefix = vocabulary_.add_space_prefix;
  bool in_word = false;
  const auto append = [&](std::string_view bytes) {
    for (const char c : bytes) {
      if (c == ' ') {
        in_word = false;
        if (!merges) out += kEscapedSpace;
        continue;
      }
      if (!in_word && (wants_prefix || merges)) {
        out += kEscapedSpace;
        wants_prefix = false;
      }
      in_word = true;
      out += c;
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (const Charsmap::Match match = charsmap_.longest(rest); match.length != 0) {
      append(match.replacement);
      at += match.length;
    } else {
      const Utf8Char character = decode_utf8(text, at);
      const bool valid = character.state == Utf8State::valid;
      append(valid ? rest.substr(0, character.length) : kReplacementUtf8);
      at += valid ? character.length : 1;
    }
  }
  return out;
}

void UnigramTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  const std::string normalized = normalize(text);
  Scratch scratch;
  for (std::size_t at = 0; at < normalized.size();) {
    const std::size_t end = words_stand_alone_ ? end_of_word(normalized, at) : normalized.size();
    encode_chunk(std::string_view(normalized).substr(at, end - at), scratch, out);
    at = end;
  }
}

void UnigramTokenizer::encode_chunk(std::string_view chunk, Scratch& scratch, std::vector<TokenId>& out) const {
  std::vector<Best>& best = scratch.best;
  best.assign(chunk.size() + 1, {kUnreached, -1, 0});
  best[0].score = 0;
  const auto offer = [&](std::size_t end, double score, TokenId last, std::size_t start) {
    if (score > best[end].score) best[end] = {score, last, static_cast<std::uint32_t>(start)};
  };
  for (std::size_t start = 0; start < chunk.size();) {
    const std::size_t character = std::min<std::size_t>(decode_utf8(chunk, start).length, chunk.size() - start);
    bool is_token = false;
    ByteTrie::Node node = ByteTrie::kRoot;
    for (std::size_t end = start; end < chunk.size();) {
      node = tokens_.child(node, chunk[end++]);
      if (node == ByteTrie::kNoNode) break;
      const TokenId id = tokens_.token(node);
      if (id == ByteTrie::kNone) continue;
      if (end - start == character) is_token = true;
      offer(end, best[start].score + scores_[static_cast<std::size_t>(id)], id, start);
    }
    if (!is_token) offer(start + character, best[start].score + unknown_score_, -1, start);
    start += character;
  }
  std::vector<Best>& path = scratch.path;
  path.clear();
  for (std::size_t end = chunk.size(); end > 0; end = best[end].start) path.push_back(best[end]);
  for (std::size_t i = path.size(); i-- > 0;) {
    if (path[i].last < 0) {
      const std::size_t end = i > 0 ? path[i - 1].start : chunk.size();
      give_unknown(chunk.substr(path[i].start, end - path[i].start), scratch, out);
      continue;
    }
    out.push_back(path[i].last);
    scratch.unknown_before = false;
  }
}

void UnigramTokenizer::give_unknown(std::string_view character, Scratch& scratch, std::vector<TokenId>& out) const {
  if (byte_fallback_) {
    for (const char c : character) out.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  } else if (vocabulary_.unk && !scratch.unknown_before) {
    out.push_back(*vocabulary_.unk);  // one for a run of them
  }
  scratch.unknown_before = true;
}

void UnigramTokenizer::append_plain(TokenId id, std::string& out) const {
  const std::string& text = vocabulary_.tokens[static_cast<std::size_t>(id)];
  if (vocabulary_.kinds[static_cast<std::size_t>(id)] == TokenKind::byte) {
    if (const std::optional<std::uint8_t> byte = byte_token_value(text)) out += static_cast<char>(*byte);
    return;
  }
  append_unescaped(out, text);
}

}  // namespace wisp::text
