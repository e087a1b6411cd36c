#include "rdb/digest_module.h"

#include "rdb/digest_node.h"

namespace sluice::rdb {
namespace {

constexpr std::uint64_t vector_set_id = 0xBDE72DA2BB1EB400;  // "vectorset", encoding version 0

// Flags of a vector set.
constexpr std::uint64_t has_matrix_flag = 1;
constexpr std::uint64_t has_attributes_flag = 2;

/// Links a node has at most, in the upper bits of the config; 0 was written before it could be set.
std::uint64_t normalised_config(std::uint64_t config) noexcept {
  constexpr std::uint64_t links_default = 16;
  return config >> 8 == 0 ? config | links_default << 8 : config;
}

}  // namespace

void ModuleDigest::on_id(std::uint64_t id) {
  id_ = id;
  if (id == vector_set_id) vectors_.next = Next::dimension;
}

void ModuleDigest::on_item(Kind kind, const Digest128& value) {
  sum_ += hash_node(Node::module_item, items_++, static_cast<std::uint64_t>(kind), value.low,
                    value.high);
  if (vectors_.next == Next::unknown) return;
  switch (kind) {
    case Kind::number: return on_vector_set_number(value.low);
    case Kind::text: return on_vector_set_text(value);
    case Kind::f32:
    case Kind::f64: vectors_.next = Next::unknown;
  }
}

void ModuleDigest::on_vector_set_number(std::uint64_t number) {
  VectorSet& set = vectors_;
  switch (set.next) {
    case Next::dimension:
      set.dimension = number;
      set.next = Next::count;
      return;
    case Next::count:
      set.count = number;
      set.next = Next::config;
      return;
    case Next::config:
      set.config = normalised_config(number);
      set.next = Next::flags;
      return;
    case Next::flags: return on_flags(number);
    case Next::input_dimension:
      set.input_dimension = number;
      set.next = Next::matrix;
      return;
    case Next::param_count:
      set.params = number;
      set.next = number > 0 ? Next::params : Next::unknown;
      return;
    case Next::params:
      if (--set.params > 0) return;
      // The last one has the length of the vector before it was normalised and its range: what
      // turns the stored vector back into the one that was given. The others are the graph.
      set.nodes += hash_node(Node::vector_set_node, set.item.low, set.item.high, set.attributes.low,
                             set.attributes.high, set.vector.low, set.vector.high, number);
      --set.count;
      set.next = node_or_end();
      return;
    case Next::matrix:
    case Next::item:
    case Next::attributes:
    case Next::vector:
    case Next::end:
    case Next::unknown: set.next = Next::unknown;
  }
}

void ModuleDigest::on_flags(std::uint64_t flags) {
  vectors_.has_attributes = (flags & has_attributes_flag) != 0;
  vectors_.next = (flags & has_matrix_flag) != 0 ? Next::input_dimension : node_or_end();
  if ((flags & ~(has_matrix_flag | has_attributes_flag)) != 0) vectors_.next = Next::unknown;
}

void ModuleDigest::on_vector_set_text(const Digest128& hash) {
  VectorSet& set = vectors_;
  switch (set.next) {
    case Next::matrix:
      set.matrix = hash;
      set.next = node_or_end();
      return;
    case Next::item:
      set.item = hash;
      set.attributes = hash_text({});
      set.next = set.has_attributes ? Next::attributes : Next::vector;
      return;
    case Next::attributes:
      set.attributes = hash;
      set.next = Next::vector;
      return;
    case Next::vector:
      set.vector = hash;
      set.next = Next::param_count;
      return;
    case Next::dimension:
    case Next::count:
    case Next::config:
    case Next::flags:
    case Next::input_dimension:
    case Next::param_count:
    case Next::params:
    case Next::end:
    case Next::unknown: set.next = Next::unknown;
  }
}

Digest128 ModuleDigest::end() const {
  if (vectors_.next != Next::end) return hash_node(Node::module, id_, sum_.low, sum_.high);
  return hash_node(Node::vector_set, vectors_.dimension, vectors_.config, vectors_.input_dimension,
                   vectors_.matrix.low, vectors_.matrix.high, vectors_.nodes.low,
                   vectors_.nodes.high);
}

}  // namespace sluice::rdb
