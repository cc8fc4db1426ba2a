// Values by name, for options and requests: C functions set them one by one, JSON all at once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "text/jinja/value.h"

namespace wisp::api {

template <class Target>
struct IntegerSetting {
  std::string_view name;
  std::int64_t least, most;
  void (*set)(Target& target, std::int64_t value);
};
template <class Target>
struct NumberSetting {
  std::string_view name;
  void (*set)(Target& target, double value);
};
template <class Target>
struct TextSetting {
  std::string_view name;
  Status (*set)(Target& target, std::string_view value);
};

template <class Setting>
std::string names_of(std::span<const Setting> settings) {
  std::string names;
  for (const Setting& setting : settings) names += fmt::format("{}{}", names.empty() ? "" : ", ", setting.name);
  return names;
}

// nullptr where there is none of that name.
template <class Setting>
const Setting* find_named(std::span<const Setting> settings, std::string_view name) {
  const auto found = std::ranges::find(settings, name, &Setting::name);
  return found == settings.end() ? nullptr : &*found;
}

template <class Setting>
Result<const Setting*> find_setting(std::span<const Setting> settings, std::string_view name, std::string_view kind) {
  if (const Setting* const setting = find_named(settings, name); setting != nullptr) return setting;
  return fail(Code::not_found, "no {} is called '{}'; there are: {}", kind, printable(name), names_of(settings));
}

template <class Target>
Status set_integer(std::span<const IntegerSetting<Target>> settings, Target& target, std::string_view name,
                   std::int64_t value) {
  WISP_TRY(const auto* const setting, find_setting(settings, name, "integer setting"));
  if (value < setting->least || value > setting->most) {
    return fail(Code::invalid_argument, "{} is {}, expected {} to {}", name, value, setting->least, setting->most);
  }
  setting->set(target, value);
  return {};
}

// An integer setting from JSON: whole numbers, true and false.
template <class Target>
Status set_integer(std::span<const IntegerSetting<Target>> settings, Target& target, std::string_view name,
                   const text::jinja::Value& value) {
  if (value.is_integral()) {
    return set_integer(settings, target, name,
                       value.is(text::jinja::Kind::boolean) ? std::int64_t{value.as_boolean()} : value.as_integer());
  }
  constexpr double kBeyond = 9.2e18;
  const double number = value.is_number() ? value.as_real() : kBeyond;
  if (std::abs(number) >= kBeyond || number != std::trunc(number)) {
    return fail(Code::invalid_argument, "{} is not a whole number that fits 64 bits", name);
  }
  return set_integer(settings, target, name, static_cast<std::int64_t>(number));
}

// One JSON object; `what` names it in messages.
Result<text::jinja::Value> parse_object(std::string_view what, std::string_view json);

}  // namespace wisp::api
