#include "api/options.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "api/settings.h"
#include "graph/passes.h"
#include "text/jinja/value.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;

namespace wisp::api {
namespace {

using text::jinja::Kind;
using text::jinja::Value;

constexpr std::int64_t kMost31 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMost64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostContext = 1 << 24;
constexpr std::int64_t kMostRows = 1 << 16;

constexpr std::uint32_t narrow(std::int64_t value) { return static_cast<std::uint32_t>(value); }
constexpr std::uint64_t wide(std::int64_t value) { return static_cast<std::uint64_t>(value); }

using Integer = IntegerSetting<EngineChoice>;
constexpr Integer kIntegers[] = {
    {"context", 0, kMostContext,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.context.context = narrow(value); }},
    {"window", 0, kMostContext,
     [](EngineChoice& choice, std::int64_t value) {
       choice.engine.context.window = value == 0 ? std::nullopt : std::optional(narrow(value));
     }},
    {"sinks", 0, kMostRows,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.context.sinks = narrow(value); }},
    {"threads", 0, 1024, [](EngineChoice& choice, std::int64_t value) { choice.threads = static_cast<int>(value); }},
    {"max_sequences", 1, kMostRows,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.max_sequences = narrow(value); }},
    {"rows", 1, kMostRows, [](EngineChoice& choice, std::int64_t value) { choice.engine.row_budget = narrow(value); }},
    {"logit_rows", 1, kMostRows,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.max_logit_rows = narrow(value); }},
    {"prompt_chunk", 0, kMostRows,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.prompt_chunk = narrow(value); }},
    {"inter_token_target_us", 1, 1'000'000'000,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.inter_token_target_ns = wide(value) * 1000; }},
    {"steps_ahead", 1, 64, [](EngineChoice& choice, std::int64_t value) { choice.engine.steps_ahead = narrow(value); }},
    {"memory_limit", 0, kMost64,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.memory_limit = wide(value); }},
    {"kv_memory", 0, kMost64, [](EngineChoice& choice, std::int64_t value) { choice.engine.kv_bytes = wide(value); }},
    {"max_waiting_requests", 0, kMost32,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.max_waiting_requests = narrow(value); }},
    {"max_waiting_tokens", 0, kMost64,
     [](EngineChoice& choice, std::int64_t value) { choice.engine.max_waiting_tokens = wide(value); }},
    {"event_memory", 1, kMost31,
     [](EngineChoice& choice, std::int64_t value) { choice.event_bytes = static_cast<std::size_t>(value); }},
    {"prefix_cache", 0, 1, [](EngineChoice& choice, std::int64_t value) { choice.engine.prefix_cache = value != 0; }},
    {"repack", 0, 1, [](EngineChoice& choice, std::int64_t value) { choice.repack = value != 0; }},
    {"deterministic", 0, 1, [](EngineChoice& choice, std::int64_t value) { choice.deterministic = value != 0; }},
};

// The place of `value` among `names`.
Result<std::size_t> choose(std::string_view what, std::string_view value, std::span<const std::string_view> names) {
  std::string known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == value) return i;
    known += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  }
  return fail(Code::invalid_argument, "{} is '{}', expected one of {}", what, printable(value), known);
}

Status set_device(EngineChoice& choice, std::string_view value) {
  constexpr std::string_view kGpu = "gpu:";
  if (value.starts_with(kGpu)) {
    choice.device = DeviceKind::gpu;
    choice.adapter = value.substr(kGpu.size());
    return {};
  }
  constexpr std::array<std::string_view, 3> kNames = {"cpu", "gpu", "reference"};
  WISP_TRY(const std::size_t index, choose("device", value, kNames));
  choice.device = static_cast<DeviceKind>(index);
  choice.adapter.clear();
  return {};
}

Status set_kv(EngineChoice& choice, std::string_view value) {
  constexpr std::array<std::string_view, 3> kNames = {"f32", "f16", "q8_0"};
  WISP_TRY(const std::size_t index, choose("kv", value, kNames));
  choice.engine.kv_type = static_cast<graph::KvType>(index);
  choice.kv_named = true;
  return {};
}
static_assert(static_cast<int>(graph::KvType::f32) == 0 && static_cast<int>(graph::KvType::q8_0) == 2);

Status set_output(EngineChoice& choice, std::string_view value) {
  constexpr std::array<std::string_view, 2> kNames = {"logits", "embeddings"};
  WISP_TRY(const std::size_t index, choose("output", value, kNames));
  choice.engine.output = index == 0 ? graph::Output::logits : graph::Output::hidden;
  return {};
}

Status set_tune(EngineChoice& choice, std::string_view value) {
  constexpr std::array<std::string_view, 3> kNames = {"off", "fast", "full"};
  constexpr std::array kModes = {gpu::TuneMode::off, gpu::TuneMode::fast, gpu::TuneMode::full};
  WISP_TRY(const std::size_t index, choose("tune", value, kNames));
  choice.tune = kModes[index];
  return {};
}

Status add_no_fuse(EngineChoice& choice, std::string_view value) {
  std::vector<std::string_view> names = {"all"};
  for (const graph::Pass& pass : graph::fusion_passes()) names.push_back(pass.name);
  WISP_TRY(const std::size_t index, choose("no_fuse", value, names));
  choice.engine.passes_off.emplace_back(names[index]);
  return {};
}

using Text = TextSetting<EngineChoice>;
constexpr Text kTexts[] = {
    {"device", set_device}, {"kv", set_kv}, {"output", set_output}, {"tune", set_tune}, {"no_fuse", add_no_fuse}};

Status set_from_json(EngineChoice& choice, std::string_view name, const Value& value) {
  if (const Text* const setting = find_named(std::span<const Text>(kTexts), name); setting != nullptr) {
    if (value.is(Kind::string)) return setting->set(choice, value.as_text());
    if (!value.is(Kind::list)) return fail(Code::invalid_argument, "{} is not a text", name);
    for (const Value& item : value.items()) {
      if (!item.is(Kind::string)) return fail(Code::invalid_argument, "{} holds what is not a text", name);
      WISP_CHECK(setting->set(choice, item.as_text()));
    }
    return {};
  }
  if (find_named(std::span<const Integer>(kIntegers), name) != nullptr) {
    return set_integer(std::span<const Integer>(kIntegers), choice, name, value);
  }
  return fail(Code::not_found, "no option of an engine is called '{}'; there are: {}, {}", printable(name),
              names_of(std::span<const Integer>(kIntegers)), names_of(std::span<const Text>(kTexts)));
}

}  // namespace

Result<std::unique_ptr<EngineChoice>> choice_of(const wisp_options* options) {
  if (options != nullptr) WISP_CHECK(check(options, "the options"));
  auto choice = options == nullptr ? std::make_unique<EngineChoice>() : std::make_unique<EngineChoice>(options->choice);
  runtime::EngineOptions& engine = choice->engine;
  engine.row_budget = std::max(engine.row_budget, engine.max_sequences);
  // An embedding may need the state of each row, which is small.
  if (engine.output == graph::Output::hidden) engine.max_logit_rows = engine.row_budget;
  engine.max_logit_rows = std::clamp(engine.max_logit_rows, engine.max_sequences, engine.row_budget);
  engine.kv_may_narrow = choice->device == DeviceKind::gpu && !choice->kv_named;
  if (engine.context.sinks != 0 && !engine.context.window) {
    return fail(Code::invalid_argument, "sinks are for a window; set window too");
  }
  return choice;
}

}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_options* wisp_options_create(void) {
  auto made = guarded([]() -> Result<wisp_options*> { return create<wisp_options>(); });
  return made.value_or(nullptr);
}
void wisp_options_destroy(wisp_options* options) { destroy(options); }

wisp_status wisp_options_set_integer(wisp_options* options, const char* name, int64_t value, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, WISP_TO_NUL));
    return set_integer(std::span<const Integer>(kIntegers), options->choice, key, value);
  });
}

wisp_status wisp_options_set_text(wisp_options* options, const char* name, const char* value, size_t length,
                                  wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, WISP_TO_NUL));
    WISP_TRY(const std::string_view text, text_argument("the value", value, length));
    WISP_TRY(const auto* const setting, find_setting(std::span<const Text>(kTexts), key, "text option of an engine"));
    return setting->set(options->choice, text);
  });
}

wisp_status wisp_options_set_json(wisp_options* options, const char* json, size_t length, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    WISP_TRY(const std::string_view text, text_argument("the JSON", json, length));
    WISP_TRY(const Value object, parse_object("the options", text));
    EngineChoice choice = options->choice;
    for (const auto& [key, value] : object.as_dict()->entries()) {
      WISP_CHECK(set_from_json(choice, key.as_text(), value));
    }
    options->choice = std::move(choice);
    return {};
  });
}

wisp_status wisp_options_on_log(wisp_options* options, wisp_log_function log, void* context, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    options->log = {log, context};
    return {};
  });
}

wisp_status wisp_options_on_load(wisp_options* options, wisp_load_function load, void* context, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    options->load = {load, context};
    return {};
  });
}

wisp_status wisp_options_put_text(wisp_options* options, const char* name, size_t name_length, const char* text,
                                  size_t length, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(options, "the options"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, name_length));
    WISP_TRY(const std::string_view kept, text_argument("the text", text, length));
    options->texts[std::string(key)] = kept;
    return {};
  });
}

}  // extern "C"
