// Where what was found out about devices is kept from run to run: a folder natively, the page's
// storage in JavaScript. It is a convenience: what cannot be read is found out again, what cannot be written is lost,
// and neither is an error. What is read is a stranger's text.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace wisp::gpu {

class Storage {
 public:
  virtual ~Storage() = default;
  // Empty where there is nothing. Names are letters, digits, '-' and '.'.
  virtual std::string read(std::string_view name) = 0;
  virtual void write(std::string_view name, std::string_view text) = 0;
};

// For tests, and for hosts that move the texts themselves.
class MemoryStorage final : public Storage {
 public:
  std::string read(std::string_view name) override {
    const auto found = texts_.find(name);
    return found == texts_.end() ? std::string() : found->second;
  }
  void write(std::string_view name, std::string_view text) override {
    texts_[std::string(name)] = text;
    written_.insert(std::string(name));
  }
  [[nodiscard]] std::map<std::string, std::string, std::less<>>& texts() { return texts_; }
  // A name that was written since it was last taken; nothing once there is none.
  std::optional<std::string> take_written() {
    if (written_.empty()) return std::nullopt;
    return std::move(written_.extract(written_.begin()).value());
  }

 private:
  std::map<std::string, std::string, std::less<>> texts_;
  std::set<std::string, std::less<>> written_;
};

}  // namespace wisp::gpu
