#include "text/spellings.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace wisp::text {
namespace {

// Tokens by their exact bytes, where these are a piece of the text that is looked for.
using Pieces = std::unordered_map<std::string, TokenId>;

// `rest` as the longest tokens that fit; empty where no token fits.
std::vector<TokenId> cover(std::string_view rest, const Pieces& pieces) {
  std::vector<TokenId> tokens;
  while (!rest.empty()) {
    std::size_t length = rest.size();
    auto found = pieces.find(std::string(rest));
    while (found == pieces.end() && --length > 0) found = pieces.find(std::string(rest.substr(0, length)));
    if (length == 0) return {};
    tokens.push_back(found->second);
    rest.remove_prefix(length);
  }
  return tokens;
}

std::string bytes_of(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string bytes;
  for (const TokenId token : tokens) bytes += tokenizer.token_bytes(token, false);
  return bytes;
}

}  // namespace

Result<std::vector<std::vector<TokenId>>> spellings(const Tokenizer& tokenizer, std::string_view text) {
  if (text.empty()) return fail(Code::invalid_argument, "an empty text breaks no sequence");
  if (text.size() > kMaxSpelledBytes) {
    return fail(Code::limit, "'{}' has {} bytes, and no more than {} are looked for", printable(text, 32), text.size(),
                kMaxSpelledBytes);
  }
  std::vector<std::vector<TokenId>> found;
  std::vector<std::vector<TokenId>> ending_in(text.size());  // [n]: tokens that end in the first n bytes
  Pieces pieces;
  for (TokenId id = 0; id < tokenizer.vocabulary().size(); ++id) {
    std::string bytes = tokenizer.token_bytes(id, false);
    if (bytes.find(text) != std::string::npos) {
      found.push_back({id});
      continue;
    }
    for (std::size_t n = 1; n < text.size(); ++n) {
      if (bytes.ends_with(text.substr(0, n))) ending_in[n].push_back(id);
    }
    if (!bytes.empty() && text.find(bytes) != std::string_view::npos) pieces.try_emplace(std::move(bytes), id);
  }
  for (std::size_t n = 1; n < text.size(); ++n) {
    const std::string_view rest = text.substr(n);
    std::vector<std::vector<TokenId>> rests;
    if (std::vector<TokenId> covered = cover(rest, pieces); !covered.empty()) rests.push_back(std::move(covered));
    // An SPM vocabulary puts a space in front, which is not there in the middle of a text.
    WISP_TRY(std::vector<TokenId> cut, tokenizer.encode(rest, {}));
    if (bytes_of(tokenizer, cut) == rest && std::ranges::find(rests, cut) == rests.end())
      rests.push_back(std::move(cut));
    for (const TokenId first : ending_in[n]) {
      for (const std::vector<TokenId>& following : rests) {
        std::vector<TokenId>& sequence = found.emplace_back(1, first);
        sequence.insert(sequence.end(), following.begin(), following.end());
      }
    }
  }
  return found;
}

}  // namespace wisp::text
