#include "engine/run_delta.h"

#include <algorithm>
#include <cstring>

#include "engine/key_order.h"
#include "engine/varint.h"

namespace sluice::engine {
namespace {

using Bytes = std::span<const std::byte>;

bool same(Bytes left, Bytes right) noexcept {
  return left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

/// How many bytes both begin with; at most `most`.
std::size_t common_prefix(Bytes left, Bytes right, std::size_t most) noexcept {
  const auto differ = std::ranges::mismatch(left.first(most), right.first(most));
  return static_cast<std::size_t>(differ.in1 - left.begin());
}
std::size_t common_suffix(Bytes left, Bytes right, std::size_t most) noexcept {
  const auto differ = std::mismatch(
      left.rbegin(), left.rbegin() + static_cast<std::ptrdiff_t>(most), right.rbegin());
  return static_cast<std::size_t>(differ.first - left.rbegin());
}

/// The keys of a run, one after the other.
class KeyWalk {
 public:
  KeyWalk(const RunView& run, std::vector<std::byte>& key)
      : pieces_(run.pieces->starts(RunColumn::keys)), raw_(run.raw), key_(key) {
    key_.clear();
    step();
  }
  [[nodiscard]] bool at_end() const noexcept { return index_ + 1 >= pieces_.size(); }
  [[nodiscard]] Bytes key() const noexcept { return key_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  void next() {
    ++index_;
    step();
  }

 private:
  void step() {
    if (at_end()) return;
    std::uint64_t shared = 0;
    std::uint64_t rest = 0;
    const std::byte* at = take_varint(raw_.data() + pieces_[index_], shared);
    at = take_varint(at, rest);
    key_.resize(shared);
    key_.insert(key_.end(), at, at + rest);
  }

  std::span<const std::uint32_t> pieces_;
  Bytes raw_;
  std::vector<std::byte>& key_;
  std::uint32_t index_ = 0;
};

/// Collects what is copied and what is not. A copy that would cost more than it saves, since it
/// lies between two literals, becomes one.
class OpSink {
 public:
  OpSink(Bytes base, storage::DeltaOps& out) : base_(base), out_(out) { out.clear(); }

  void copy(std::size_t from, std::size_t bytes) {
    if (bytes == 0) return;
    if (from_ + bytes_ != from) flush();
    if (bytes_ == 0) from_ = from;
    bytes_ += bytes;
  }
  void literal(Bytes bytes) {
    if (bytes.empty()) return;
    flush();
    out_.literal(bytes);
    after_literal_ = true;
  }
  void finish() { flush(); }

 private:
  static constexpr std::size_t copy_bytes_min = 6;  // what an op takes

  void flush() {
    if (bytes_ == 0) return;
    if (after_literal_ && bytes_ < copy_bytes_min) {
      out_.literal(base_.subspan(from_, bytes_));
    } else {
      out_.copy(static_cast<std::uint32_t>(from_), static_cast<std::uint32_t>(bytes_));
      after_literal_ = false;
    }
    bytes_ = 0;
  }

  Bytes base_;
  storage::DeltaOps& out_;
  std::size_t from_ = 0;  // a copy that is not out yet
  std::size_t bytes_ = 0;
  bool after_literal_ = false;
};

/// Writes `result` with what it begins and ends with in common with `base`, which lies at `from`.
void add_differing(Bytes base, std::size_t from, Bytes result, OpSink& sink) {
  std::size_t left = std::min(base.size(), result.size());
  std::size_t prefix = common_prefix(base, result, left);
  if (prefix < RunDelta::common_bytes_min) prefix = 0;
  left -= prefix;
  std::size_t suffix = common_suffix(base, result, left);
  if (suffix < RunDelta::common_bytes_min) suffix = 0;
  sink.copy(from, prefix);
  sink.literal(result.subspan(prefix, result.size() - prefix - suffix));
  sink.copy(from + base.size() - suffix, suffix);
}

}  // namespace

void RunDelta::match(const RunView& base, const RunView& result) {
  base_of_.clear();
  matched_ = 0;
  KeyWalk in_base(base, base_key_);
  for (KeyWalk in_result(result, result_key_); !in_result.at_end(); in_result.next()) {
    auto order = std::strong_ordering::greater;
    while (!in_base.at_end()) {
      order = compare_keys(in_base.key(), in_result.key());
      if (order >= 0) break;
      in_base.next();
    }
    const bool is_match = !in_base.at_end() && order == 0;
    base_of_.push_back(is_match ? in_base.index() : unmatched);
    if (is_match) ++matched_;
  }
}

void RunDelta::make(const RunView& base, const RunView& result, storage::DeltaOps& out) {
  match(base, result);
  OpSink sink(base.raw, out);
  const Bytes header = result.raw.first(sizeof(RunHeader));
  if (same(base.raw.first(sizeof(RunHeader)), header)) {
    sink.copy(0, header.size());
  } else {
    sink.literal(header);
  }
  for (std::size_t c = 0; c < run_column_count; ++c) {
    const auto column = static_cast<RunColumn>(c);
    for (std::size_t i = 0; i < base_of_.size(); ++i) {
      const Bytes now = result.pieces->piece(result.raw, column, i);
      if (base_of_[i] == unmatched) {
        sink.literal(now);
        continue;
      }
      const Bytes before = base.pieces->piece(base.raw, column, base_of_[i]);
      const std::size_t from = base.pieces->starts(column)[base_of_[i]];
      if (same(before, now)) {
        sink.copy(from, now.size());
      } else if (column == RunColumn::values && now.size() >= split_bytes_min) {
        add_differing(before, from, now, sink);
      } else {
        sink.literal(now);
      }
    }
  }
  sink.finish();
}

void make_delta(const RunView& base, const RunView& result, storage::DeltaOps& out) {
  RunDelta delta;
  delta.make(base, result, out);
}

}  // namespace sluice::engine
