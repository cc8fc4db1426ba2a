#include "text/grammar/trigger.h"

namespace wisp::text::grammar {

Result<TriggerSearch> TriggerSearch::create(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) {
    if (text.empty()) return fail(Code::invalid_argument, "an empty trigger would start the grammar at once");
    bytes += text.size();
  }
  if (bytes > kMostBytes) {
    return fail(Code::limit, "the triggers have {} bytes together, and no more than {} may", bytes, kMostBytes);
  }

  TriggerSearch search;
  std::vector<Place> fallback = {0};
  search.next_.assign(256, 0);
  search.complete_.assign(1, -1);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Place place = 0;
    for (const char c : texts[i]) {
      const std::size_t at = std::size_t{place} * 256 + static_cast<std::uint8_t>(c);
      if (search.next_[at] == 0) {
        search.next_[at] = static_cast<Place>(search.complete_.size());
        search.complete_.push_back(-1);
        search.next_.resize(search.next_.size() + 256, 0);
        fallback.push_back(0);
      }
      place = search.next_[at];
    }
    search.complete_[place] = static_cast<std::int32_t>(i);
  }

  // Breadth first, so that a place's fallback, which is nearer to the root, is finished before it.
  std::vector<Place> queue;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (search.next_[byte] != 0) queue.push_back(search.next_[byte]);
  }
  for (std::size_t done = 0; done < queue.size(); ++done) {
    const Place place = queue[done];
    if (search.complete_[place] < 0) search.complete_[place] = search.complete_[fallback[place]];
    for (std::size_t byte = 0; byte < 256; ++byte) {
      Place& child = search.next_[std::size_t{place} * 256 + byte];
      const Place other = search.next_[std::size_t{fallback[place]} * 256 + byte];
      if (child == 0) {
        child = other;
      } else {
        fallback[child] = other;
        queue.push_back(child);
      }
    }
  }
  return search;
}

}  // namespace wisp::text::grammar
