#include "engine/run_digest.h"

#include <algorithm>

#include "engine/key_order.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

/// Same key, and the same to a digest. Access info is not part of one.
bool same_data(const Record& a, const Record& b) {
  return a.type == b.type && a.expire_at_ms == b.expire_at_ms && a.fragmented == b.fragmented &&
         same_bytes(a.value, b.value) && same_bytes(a.meta, b.meta);
}

}  // namespace

rdb::Digest128 RunDigest::term(const Record& record, const RunContext& context,
                               std::uint64_t& undecodable) {
  if (record.fragmented) {
    if (read_fragment_list(record.value, "", fragments_) && fragments_.terms)
      return *fragments_.terms;
  } else if (const auto header = context.header_of(record); header.type != nullptr) {
    if (const auto term = rdb::term_of_raw_string(header, record.value)) return *term;
    reader_.begin(header, context.header);
    reader_.add(record.value);
    if (const auto terms = reader_.end_record()) return *terms;
  }
  ++undecodable;
  if (problem_.empty() && reader_.first_problem().empty())
    problem_ = "key \"" + rdb::escape(context.key_of(record)) + "\"";
  return {};
}

RunDigest::Sum RunDigest::of(RunReader& run, const RunContext& context) {
  Sum sum;
  Record record;
  while (run.next(record)) add(record, context, sum);
  return sum;
}

RunDigest::Sum RunDigest::from(const rdb::Digest128& base_sum, RunReader& base, RunReader& result,
                               const RunContext& context) {
  Sum sum{.digest = base_sum, .undecodable = 0};
  Record old;
  Record now;
  bool has_old = base.next(old);
  bool has_now = result.next(now);
  while (has_old || has_now) {
    auto order = std::strong_ordering::equal;
    if (!has_old) {
      order = std::strong_ordering::greater;
    } else if (!has_now) {
      order = std::strong_ordering::less;
    } else {
      order = compare_keys(old.key, now.key);
    }
    if (order != 0 || !same_data(old, now)) {
      if (order <= 0) sum.digest -= term(old, context, sum.undecodable);
      if (order >= 0) sum.digest += term(now, context, sum.undecodable);
    }
    if (order <= 0) has_old = base.next(old);
    if (order >= 0) has_now = result.next(now);
  }
  return sum;
}

}  // namespace sluice::engine
