#include "text/chat/known_formats.h"

#include <string>
#include <vector>

namespace wisp::text {
namespace {

Pattern head(std::string_view before, std::string_view after = {}) {
  Pattern made{{SyntaxPiece::Kind::literal, std::string(before)}, {SyntaxPiece::Kind::name}};
  if (!after.empty()) made.push_back({SyntaxPiece::Kind::literal, std::string(after)});
  return made;
}

}  // namespace

bool known_format(std::string_view source, OutputFormat& format) {
  const auto has = [&](std::string_view text) { return source.find(text) != std::string_view::npos; };
  CallFormat& calls = format.calls;
  if (has("<|channel|>") && has("<|message|>") && has("<|start|>")) {  // harmony
    format.reasoning = {{"<|channel|>analysis<|message|>", "<|end|>"}};
    format.ignored = {"<|start|>assistant", "<|channel|>final", "<|channel|>commentary",
                      "<|constrain|>json",  "<|message|>",      "<|end|>",
                      "<|return|>"};
    format.speech = "<|channel|>final<|message|>";
    calls.payload = Payload::arguments;
    for (const std::string_view begin :
         {"<|channel|>commentary to=functions.", "to=functions.", "<|channel|>analysis to=functions."}) {
      calls.heads.push_back({{SyntaxPiece::Kind::literal, std::string(begin)},
                             {SyntaxPiece::Kind::name},
                             {SyntaxPiece::Kind::any},
                             {SyntaxPiece::Kind::literal, "<|message|>"}});
    }
    calls.tails = {"<|call|>"};
    return true;
  }
  if (has("<atem:function_calls>")) {
    format.reasoning = {{"to=self<|message|>", "<|eom|>"}};
    format.ignored = {"<|start|>assistant", "to=user<|message|>", "<|eot|>", "<|eom|>"};
    format.speech = "to=user<|message|>";
    calls.payload = Payload::tagged;
    calls.section_begin = "<atem:function_calls>";
    calls.section_end = "</atem:function_calls>";
    calls.heads = {head("<atem:invoke name=\"", "\">"), {}};
    calls.heads.back() = {{SyntaxPiece::Kind::literal, "to="},
                          {SyntaxPiece::Kind::any},
                          {SyntaxPiece::Kind::literal, "<|message|><atem:function_calls>"},
                          {SyntaxPiece::Kind::literal, "<atem:invoke name=\""},
                          {SyntaxPiece::Kind::name},
                          {SyntaxPiece::Kind::literal, "\">"}};
    calls.argument_begin = "<atem:parameter name=\"";
    calls.key_end = "\">";
    calls.value_end = "</atem:parameter>";
    calls.tails = {"</atem:invoke>", "</atem:function_calls>"};
    return true;
  }
  if (has("<|open|>") && has("tools") && has("<|sep|>")) {  // Kimi K3
    format.reasoning = {{"<|open|>think<|sep|>", "<|close|>think<|sep|>"}};
    format.ignored = {"<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>",
                      "<|end_of_msg|>"};
    format.speech = "<|open|>response<|sep|>";
    calls.payload = Payload::tagged;
    calls.section_begin = "<|open|>tools<|sep|>";
    calls.section_end = "<|close|>tools<|sep|>";
    calls.heads = {{{SyntaxPiece::Kind::literal, "<|open|>call tool=\""},
                    {SyntaxPiece::Kind::name},
                    {SyntaxPiece::Kind::literal, "\" index=\""},
                    {SyntaxPiece::Kind::any},
                    {SyntaxPiece::Kind::literal, "\"<|sep|>"}}};
    calls.argument_begin = "<|open|>argument key=\"";
    calls.key_end = "\" type=\"";
    calls.type_end = "\"<|sep|>";
    calls.string_type = "string";
    calls.value_end = "<|close|>argument<|sep|>";
    calls.tails = {"<|close|>call<|sep|>"};
    return true;
  }
  if (has("]<]minimax[>[")) {  // MiniMax M3
    calls.payload = Payload::tagged;
    calls.section_begin = "]<]minimax[>[<tool_call>";
    calls.section_end = "]<]minimax[>[</tool_call>";
    calls.heads = {head("]<]minimax[>[<invoke name=\"", "\">")};
    calls.argument_begin = "]<]minimax[>[<";
    calls.key_end = ">";
    calls.value_end = "]<]minimax[>[</";
    calls.ends_with_key = true;
    calls.after_end_key = ">";
    calls.tails = {"]<]minimax[>[</invoke>"};
    return true;
  }
  if (has(">>>${recipient}")) {  // functionary
    format.ignored = {">>>all\n"};
    format.speech = ">>>all\n";
    calls.payload = Payload::arguments;
    calls.heads = {head(">>>")};
    calls.heads.front().push_back({SyntaxPiece::Kind::literal, "\n"});
    return true;
  }
  if (has("<|\"|>") && has("<|tool_call>")) {  // gemma 4
    calls.payload = Payload::gemma;
    calls.heads = {head("<|tool_call>call:")};
    calls.tails = {"<tool_call|>", "<|tool_response>"};
    format.ignored = {"<|tool_response>"};  // also behind a text that follows the calls
    return true;
  }
  return false;
}

void named_format(std::string_view source, CallFormat& calls) {
  const auto has = [&](std::string_view text) { return source.find(text) != std::string_view::npos; };
  if (has("<|tool_list_start|>") || has("<|tool_call_start|>") || has("\"List of tools: [\"")) {  // LFM2
    calls.payload = Payload::python;
    calls.heads = {{{SyntaxPiece::Kind::literal, "<|tool_call_start|>"}}};
    calls.tails = {"<|tool_call_end|>"};
    return;
  }
  if (has("<|tool_calls_section_begin|>")) {  // Kimi K2
    calls.payload = Payload::arguments;
    calls.section_begin = "<|tool_calls_section_begin|>";
    calls.section_end = "<|tool_calls_section_end|>";
    calls.heads = {{{SyntaxPiece::Kind::literal, "<|tool_call_begin|>"},
                    {SyntaxPiece::Kind::optional, "functions."},
                    {SyntaxPiece::Kind::name},
                    {SyntaxPiece::Kind::literal, ":"},
                    {SyntaxPiece::Kind::any},
                    {SyntaxPiece::Kind::literal, "<|tool_call_argument_begin|>"}}};
    calls.tails = {"<|tool_call_end|>"};
    return;
  }
  calls.payload = Payload::json;
  if (has("<|tool_call|>")) {  // granite 3
    calls.heads = {{{SyntaxPiece::Kind::literal, "<|tool_call|>"}}};
  } else {
    calls.heads = {{{SyntaxPiece::Kind::literal, "<tool_call>"}}};
    calls.tails = {"</tool_call>"};
  }
}

}  // namespace wisp::text
