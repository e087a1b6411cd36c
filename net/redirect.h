#pragma once

#include <cstdint>
#include <string_view>

#include "net/topology.h"

namespace sluice::net {

/// What a cluster wants to be done with a command that it did not carry out.
struct Redirect {
  enum class Kind : std::uint8_t {
    none,   ///< It is an answer.
    moved,  ///< To `address`, for good: send it there; the map of slots is out of date.
    ask,    ///< To `address`, this once, after ASKING.
    wait,   ///< Not now: CLUSTERDOWN, TRYAGAIN, LOADING, MASTERDOWN and the like.
  };

  Kind kind = Kind::none;
  HostPort address;  ///< No host: the map has to be asked for.
  std::uint16_t slot = 0;
};

/// `error` is the text of an error reply of a node reached as `asked_host`: a redirection without a
/// host means that one.
/// Source: Redis src/cluster.c, clusterRedirectClient().
[[nodiscard]] Redirect parse_redirect(std::string_view error, std::string_view asked_host);

}  // namespace sluice::net
