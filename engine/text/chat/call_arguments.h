// The arguments of calls as nodes of a grammar: what a tool's schema accepts, written as the format writes it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "text/chat/mark_speller.h"
#include "text/chat/message.h"
#include "text/chat/output_format.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_schema.h"

namespace wisp::text {

class CallArguments {
 public:
  // All of these outlive it.
  CallArguments(grammar::Grammar& grammar, const CallFormat& calls, const MarkSpeller& marks);
  CallArguments(const CallArguments&) = delete;
  CallArguments& operator=(const CallArguments&) = delete;

  // Behind the name, up to the tails. Errors are those of schemas, and name the tool.
  Result<grammar::NodeId> of(const Tool& tool);

 private:
  Status look_for_escape();
  grammar::NodeId between_marks(grammar::NodeId name, std::string_view again, grammar::NodeId string,
                                grammar::NodeId other) const;
  [[nodiscard]] bool can_name(std::string_view name) const;

  grammar::Grammar& grammar_;
  const CallFormat& calls_;
  const MarkSpeller& marks_;
  grammar::JsonSpelling json_;
  grammar::RawStrings raw_;
  grammar::ArgumentSpelling spelling_;
  Status ready_;
};

}  // namespace wisp::text
