// One plan per row bucket, made when first needed and kept.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "graph/executor.h"
#include "graph/plan.h"

namespace wisp::runtime {

class Plans {
 public:
  // `max_logit_rows` of any step; a bucket has room for as many, up to its rows.
  Plans(std::shared_ptr<const graph::Graph> graph, std::uint32_t max_logit_rows)
      : graph_(std::move(graph)), max_logit_rows_(max_logit_rows) {}

  // The plan for a step of `rows` rows, prepared by `executor`. Stays where it is.
  Result<const graph::Plan*> plan_for(std::uint32_t rows, graph::Executor& executor);

 private:
  std::shared_ptr<const graph::Graph> graph_;
  std::uint32_t max_logit_rows_;
  std::array<std::unique_ptr<graph::Plan>, 32> by_bucket_;  // [log2 of the bucket]
};

}  // namespace wisp::runtime
