#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/error.h"
#include "rdb/error.h"
#include "sluice/result.h"
#include "storage/error.h"

namespace sluice::engine {

/// Which end of a job a server is at; the advice in a message depends on it.
enum class Role : std::uint8_t { source, target };

/// Layer errors as the one line that an operator reads: what happened, to whom, what to do next.
/// `server` is an address without secrets.
[[nodiscard]] Error from_net(const net::Error& error, Role role, std::string_view server);
/// What to do about it, which is the end of that line; empty where nothing can be said.
[[nodiscard]] std::string_view advice_on(const net::Error& error, Role role,
                                         std::string_view server) noexcept;
/// `what` names the stream: "the snapshot from redis://…", "file dump.rdb".
[[nodiscard]] Error from_rdb(const rdb::Error& error, std::string_view what);
[[nodiscard]] Error from_storage(const storage::Error& error);

[[nodiscard]] Error cancelled();

/// Stable names of codes, as they appear in JSON.
[[nodiscard]] std::string_view code_name(rdb::Errc code) noexcept;

}  // namespace sluice::engine
