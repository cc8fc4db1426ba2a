// The WGSL of this backend is generated from readable files (gpu/wgsl/*.wgsl) by a small template language, so that
// shapes become constants, loops are unrolled and variants for a device's abilities live side by side:
//
//   #include "decode_q4_k.wgsl"     another file, once in the text
//   #if HAS_MIN && ROWS > 1 ... #elif ... #else ... #endif
//                                   integer expressions over defines: || && == != < <= > >= + - * / % ! ( ); a name
//                                   that is not defined is an error, `defined(NAME)` asks
//   #for i in 0..ROWS ... #end      the body for each value, with ${i} replaced
//   ${NAME}  ${i * 4 + 1}           a define's text, or an integer expression's value; the innermost first, so that
//                                   ${TILES_${p + 1}} names one of several; also in the expressions above
//   //# a note of the template      is not copied
//
// Lines that begin with # (after blanks) belong to the template; everything else is WGSL.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wisp::gpu {

// Names with integer or textual values.
class Defines {
 public:
  Defines& set(std::string_view name, std::int64_t value);
  Defines& set(std::string_view name, std::string_view text);
  [[nodiscard]] const std::string* find(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// The text of the embedded file `name` ("matvec.wgsl"); Code::not_found names it.
Result<std::string_view> wgsl_file(std::string_view name);

// Where templates are found.
using TemplateSource = Result<std::string_view> (*)(std::string_view name);

// The expanded text. Errors name file, line and what is wrong; they are bugs of the templates.
Result<std::string> expand_template(std::string_view file, const Defines& defines, TemplateSource source = wgsl_file);

}  // namespace wisp::gpu
