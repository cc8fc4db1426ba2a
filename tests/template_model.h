// The shipped model with another chat template, as a file.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <span>
#include <string>

#include "gguf/reader.h"
#include "gguf/writer.h"
#include "tests/test_data.h"

namespace wisp::test {

// As Hermes has it: tools in the system message, calls and results between tags.
inline constexpr std::string_view kHermes =
    "{% if tools %}<|system|>{% for t in tools %}{{ t | tojson }}{% endfor %}<|end|>{% endif %}"
    "{% for m in messages %}<|{{ m.role if m.role != 'tool' else 'user' }}|>{{ m.content }}"
    "{% for c in m.tool_calls %}<tool_call>\n{\"name\": {{ c.function.name | tojson }}, \"arguments\": "
    "{{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

inline void write_model_with_template(const std::string& path, std::string_view source) {
  const std::string shipped = (source_dir() / "models/wisp-stories.gguf").string();
  auto file = gguf::open_model(shipped);
  ASSERT_TRUE(file) << file.error().message;
  const std::vector<std::byte> bytes = read_bytes(shipped);
  file->metadata.set("tokenizer.chat_template", gguf::Value::text(std::string(source)));
  std::ofstream out(path, std::ios::binary);
  gguf::Writer writer([&](std::span<const std::byte> piece) -> Status {
    out.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    return {};
  });
  ASSERT_TRUE(writer.begin(file->metadata, file->tensors));
  for (const gguf::TensorInfo& tensor : file->tensors) {
    ASSERT_TRUE(writer.write_tensor_data(std::span(bytes).subspan(tensor.offset, tensor.bytes)));
  }
  ASSERT_TRUE(writer.finish());
}

}  // namespace wisp::test
