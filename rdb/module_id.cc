#include "rdb/module_id.h"

#include <string_view>

namespace sluice::rdb {

std::string module_name(std::uint64_t id) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string name;
  for (unsigned shift = 58; shift >= 10; shift -= 6) name += alphabet[(id >> shift) & 63];
  return name + '/' + std::to_string(id & 1023);
}

}  // namespace sluice::rdb
