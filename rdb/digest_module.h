#pragma once

#include <cstdint>

#include "rdb/digest128.h"

namespace sluice::rdb {

/// The part of DatasetDigest that is about one module value: what the module wrote, in order.
///
/// The vector sets of Redis 8 are looked into. Beside its vectors a vector set holds the graph that
/// finds them, which differs between two servers that hold the same vectors.
class ModuleDigest {
 public:
  enum class Kind : std::uint64_t { text = 0, number = 1, f32 = 2, f64 = 3 };

  void on_id(std::uint64_t id);
  /// `value`: the hash of a text; a number, or the bits of a real, in `low`.
  void on_item(Kind kind, const Digest128& value);
  [[nodiscard]] Digest128 end() const;

 private:
  /// What comes next in a vector set. Source: Redis modules/vector-sets/vset.c VectorSetRdbSave(),
  /// hnsw.c hnsw_serialize_node().
  enum class Next : std::uint8_t {
    dimension,
    count,
    config,
    flags,
    input_dimension,
    matrix,
    item,
    attributes,
    vector,
    param_count,
    params,
    end,
    unknown,  // not a vector set, or not one that is known here
  };

  struct VectorSet {
    Next next = Next::unknown;
    std::uint64_t dimension = 0;
    std::uint64_t count = 0;  // of nodes that are still to come
    std::uint64_t config = 0;
    bool has_attributes = false;
    std::uint64_t input_dimension = 0;
    Digest128 matrix;
    Digest128 item;
    Digest128 attributes;
    Digest128 vector;
    std::uint64_t params = 0;  // of the node that are still to come
    Digest128 nodes;           // sum
  };

  void on_vector_set_number(std::uint64_t number);
  void on_vector_set_text(const Digest128& hash);
  void on_flags(std::uint64_t flags);
  [[nodiscard]] Next node_or_end() const noexcept {
    return vectors_.count > 0 ? Next::item : Next::end;
  }

  std::uint64_t id_ = 0;
  std::uint64_t items_ = 0;
  Digest128 sum_;
  VectorSet vectors_;
};

}  // namespace sluice::rdb
