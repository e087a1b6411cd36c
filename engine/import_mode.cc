#include "engine/import_mode.h"

#include "engine/errors.h"
#include "engine/target_console.h"
#include "net/client.h"

namespace sluice::engine {

ImportMode::ImportMode(IoThread& io, const ServerLink& link, const ReadyTarget& target, Holds holds,
                       const ProgressMeter& meter, const std::stop_token& stop)
    : io_(io), link_(link), meter_(meter), holds_(holds) {
  if (!target.cluster && target.info.flavor == net::Flavor::valkey) begin(stop);
}

void ImportMode::begin(const std::stop_token& stop) {
  TargetConsole console(io_, link_);
  console.set_stop(stop);
  const auto now = console.call({"CONFIG", "GET", "import-mode"});
  if (!now) return;  // whoever writes next will find out why
  if (now->is_error()) {
    note_ =
        "import-mode of the target is not known, and was not used: " + net::printable(now->text);
    return;
  }
  if (now->elements.size() != 2) return;
  is_on_ = now->elements[1].text == "yes";
  is_ours_ = is_on_ && holds_ == Holds::ours;
  if (is_on_ && !is_ours_) {
    note_ =
        "import-mode of the target was on before, and was left on: if nothing else imports there, "
        "CONFIG SET import-mode no";
    return;
  }
  if (is_on_ || holds_ == Holds::others) return;
  const auto set = console.call({"CONFIG", "SET", "import-mode", "yes"});
  is_ours_ = !set || !set->is_error();  // without an answer it may have been done
  is_on_ = set && !set->is_error();
  if (set && set->is_error()) {
    note_ =
        "import-mode of the target was not used, so that keys may expire or be evicted while "
        "it is written: " +
        net::printable(set->text);
  }
}

void ImportMode::end() {
  is_on_ = false;
  if (!is_ours_) return;
  is_ours_ = false;
  TargetConsole console(io_, link_);
  const auto set = console.order({"CONFIG", "SET", "import-mode", "no"});
  if (set) return;
  note_ = "import-mode could not be turned off at the target (" +
          from_net(set.error(), Role::target, link_.display).message +
          "): unless it was restarted, CONFIG SET import-mode no";
  meter_.notice(note_);
}

void ImportMode::report(RestoreResult& result) const {
  if (!note_.empty()) result.notes.push_back(note_);
}

boost::asio::awaitable<net::Result<void>> become_import_source(net::Connection& connection,
                                                               ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  net::Client client(connection, options);
  auto reply = co_await client.call("CLIENT", "IMPORT-SOURCE", "ON");
  if (!reply) co_return std::unexpected(reply.error());
  co_return net::Result<void>();
}

}  // namespace sluice::engine
