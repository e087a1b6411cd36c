#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "engine/spool.h"
#include "rdb/converter.h"

namespace sluice::engine {

/// A converter's memory of a value: the first MiBs of it, the rest in a scratch file.
class ValueSpool final : public rdb::ValueStore {
 public:
  void clear() override { spool_.clear(); }
  void append(std::span<const std::byte> part) override { spool_.append(part); }
  void replay(const std::function<bool(std::span<const std::byte>)>& take) override {
    spool_.for_each_piece(0, spool_.size(), take);
  }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return spool_.error(); }

 private:
  static constexpr std::size_t memory_bytes = 16 << 20;
  Spool spool_{memory_bytes};
};

}  // namespace sluice::engine
