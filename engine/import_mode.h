#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <stop_token>
#include <string>

#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/restore_target.h"
#include "engine/server_link.h"
#include "net/connection.h"
#include "net/error.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// The import-mode of a Valkey target (8.1 and later) while it is written: the server then deletes
/// no key by itself, neither when its time has come nor for want of memory, and refuses what does
/// not fit. It is turned on where it is known and the target is empty: clients that write to a
/// target in use would be refused too.
///
/// What is not possible is no error but a note. Whatever happens, it is as it was once this is
/// gone, unless the target cannot be reached any more.
/// Threads: the job's. Lifetime: all that it is made of outlives it.
class ImportMode {
 public:
  /// What a target has before it is written.
  enum class Holds : std::uint8_t {
    nothing,
    ours,    ///< Or nothing, and import-mode may be on: a restore into it was cut short.
    others,  ///< Keys that are not ours.
  };

  ImportMode(IoThread& io, const ServerLink& link, const ReadyTarget& target, Holds holds,
             const ProgressMeter& meter, const std::stop_token& stop);
  ImportMode(const ImportMode&) = delete;
  ImportMode& operator=(const ImportMode&) = delete;
  ~ImportMode() { end(); }

  [[nodiscard]] bool is_on() const noexcept { return is_on_; }
  /// Sets it back as it was.
  void end();
  void report(RestoreResult& result) const;

 private:
  void begin(const std::stop_token& stop);

  IoThread& io_;
  const ServerLink& link_;
  const ProgressMeter& meter_;
  Holds holds_;
  bool is_on_ = false;
  bool is_ours_ = false;  // we turned it on
  std::string note_;
};

/// For a connection to a server in import-mode: no key has expired for what is sent over it. A
/// server that refuses that is no error.
[[nodiscard]] boost::asio::awaitable<net::Result<void>> become_import_source(
    net::Connection& connection, ServerLink link);

}  // namespace sluice::engine
