#include "engine/type_name.h"

#include <cstdint>

#include "rdb/module_id.h"

namespace sluice::engine {
namespace {

/// Whether a module's value, which begins with the LEN of its type's id, is a vector set.
bool is_vector_set(std::span<const std::byte> value) {
  constexpr std::byte len_64{0x81};  // an id needs all 64 bits, so it has no shorter form
  if (value.size() < type_head_bytes || value[0] != len_64) return false;
  std::uint64_t id = 0;
  for (const std::byte byte : value.subspan(1, sizeof id))
    id = id << 8 | std::to_integer<unsigned>(byte);
  return rdb::module_name(id).starts_with("vectorset/");
}

}  // namespace

std::string_view type_name(rdb::LogicalType type, std::span<const std::byte> value) noexcept {
  if (type == rdb::LogicalType::module && is_vector_set(value)) return "vectorset";
  return rdb::to_string(type);
}

}  // namespace sluice::engine
