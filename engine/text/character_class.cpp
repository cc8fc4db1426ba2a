#include "text/character_class.h"

namespace wisp::text {

Classes classify(char32_t code) {
  if (is_space(code)) return kSpace;
  const Category kind = category(code);
  if (kind <= Category::Lo) return kLetter;
  if (kind <= Category::Me) return kMark;
  if (kind <= Category::No) return kNumber;
  if (kind <= Category::Po) return kPunctuation;
  return kind <= Category::So ? kSymbol : kOther;
}

}  // namespace wisp::text
