#pragma once

#include <optional>

#include "engine/restore_stream.h"
#include "net/error.h"

namespace sluice::engine {

/// How commands get to what is restored into: a server, or a cluster.
class TargetWay {
 public:
  TargetWay() = default;
  TargetWay(const TargetWay&) = delete;
  TargetWay& operator=(const TargetWay&) = delete;
  virtual ~TargetWay() = default;

  /// What a RestoreStream sends through; it refers to this.
  [[nodiscard]] virtual CommandOutlet outlet() = 0;
  /// The first error; sticky.
  [[nodiscard]] virtual const std::optional<net::Error>& broken() const noexcept = 0;
};

}  // namespace sluice::engine
