#include "text/grammar/schema_formats.h"

#include <array>

namespace wisp::text::grammar {
namespace {

struct Format {
  std::string_view name, pattern;
};

// Years 0001 to 9999; the 29th of February in leap years only, which are told by their last two digits, or by their
// first two where those are 00.
#define WISP_YEAR R"((?:[1-9]\d{3}|0[1-9]\d{2}|00[1-9]\d|000[1-9]))"
#define WISP_LEAP_YEAR R"((?:\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00))"
#define WISP_DATE                                                                                                                  \
  "(?:" WISP_YEAR                                                                                                                  \
  R"(-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))|)" WISP_LEAP_YEAR \
  "-02-29)"
#define WISP_TIME R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))"
#define WISP_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
#define WISP_HOST WISP_LABEL R"((?:\.)" WISP_LABEL "){0,5}"
#define WISP_BYTE R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))"
#define WISP_H "[0-9a-fA-F]{1,4}"
#define WISP_PATH R"((?:/[A-Za-z0-9._~-]{0,40}){0,10})"
#define WISP_TAIL R"((?:\?[A-Za-z0-9._~=&-]{0,60})?(?:#[A-Za-z0-9._~-]{0,40})?)"
#define WISP_URI "[a-z][a-z0-9+.-]{1,10}://" WISP_HOST R"((?::[1-9]\d{0,3})?)" WISP_PATH WISP_TAIL
#define WISP_CLOCK R"((?:\d{1,4}H(?:\d{1,4}M(?:\d{1,4}S)?)?|\d{1,4}M(?:\d{1,4}S)?|\d{1,4}S))"

constexpr std::array<Format, 19> kFormats = {{
    {"date", WISP_DATE},
    {"time", WISP_TIME},
    {"date-time", WISP_DATE "T" WISP_TIME},
    {"duration", R"(P(?:\d{1,4}W|(?:\d{1,4}Y(?:\d{1,4}M(?:\d{1,4}D)?)?|\d{1,4}M(?:\d{1,4}D)?|\d{1,4}D)(?:T)" WISP_CLOCK
                 ")?|T" WISP_CLOCK ")"},
    {"uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"},
    {"email", R"([A-Za-z0-9_+-]{1,40}(?:\.[A-Za-z0-9_+-]{1,20}){0,2}@)" WISP_LABEL R"((?:\.)" WISP_LABEL
              R"(){0,3}\.[A-Za-z]{2,10})"},
    {"idn-email", R"([A-Za-z0-9_+-]{1,40}@)" WISP_LABEL R"(\.[A-Za-z]{2,10})"},
    {"hostname", WISP_HOST},
    {"idn-hostname", WISP_HOST},
    {"ipv4", WISP_BYTE R"((?:\.)" WISP_BYTE "){3}"},
    {"ipv6", "(?:" WISP_H ":){7}" WISP_H "|::(?:" WISP_H "(?::" WISP_H "){0,5})?|" WISP_H "::(?:" WISP_H "(?::" WISP_H
             "){0,4})?|" WISP_H ":" WISP_H "::(?:" WISP_H "(?::" WISP_H "){0,3})?"},
    {"uri", WISP_URI},
    {"iri", WISP_URI},
    {"uri-reference", WISP_URI "|(?:/[A-Za-z0-9._~-]{1,40}){1,10}" WISP_TAIL},
    {"iri-reference", WISP_URI "|(?:/[A-Za-z0-9._~-]{1,40}){1,10}" WISP_TAIL},
    {"uri-template", WISP_URI},
    {"json-pointer", "(?:/[A-Za-z0-9._-]{0,40}){0,10}"},
    {"relative-json-pointer", R"((?:0|[1-9]\d{0,3})(?:#|(?:/[A-Za-z0-9._-]{0,40}){0,10}))"},
    {"regex", "[A-Za-z0-9 ]{0,40}"},
}};

}  // namespace

std::optional<std::string_view> format_pattern(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return std::nullopt;
}

}  // namespace wisp::text::grammar
