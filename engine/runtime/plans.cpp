#include "runtime/plans.h"

#include <algorithm>
#include <bit>

namespace wisp::runtime {

Result<const graph::Plan*> Plans::plan_for(std::uint32_t rows, graph::Executor& executor) {
  const std::uint32_t bucket = graph::row_bucket(rows);
  std::unique_ptr<graph::Plan>& place = by_bucket_[static_cast<std::size_t>(std::countr_zero(bucket))];
  if (!place) {
    WISP_TRY(graph::Plan made, graph::make_plan(graph_, bucket, std::min(bucket, max_logit_rows_)));
    auto plan = std::make_unique<graph::Plan>(std::move(made));
    WISP_CHECK(executor.prepare(*plan));
    place = std::move(plan);
  }
  return place.get();
}

}  // namespace wisp::runtime
