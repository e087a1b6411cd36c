#include "engine/feed_target.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "engine/info_text.h"
#include "engine/target_format.h"

namespace sluice::engine {
namespace {

constexpr std::array<std::string_view, 9> settings{"databases",
                                                   "maxmemory",
                                                   "maxmemory-policy",
                                                   "tls-replication",
                                                   "replica-announce-port",
                                                   "repl-diskless-load",
                                                   "repl-timeout",
                                                   "appendonly",
                                                   "replica-read-only"};

constexpr unsigned valkey_own_magic = 80;
constexpr std::size_t footer_bytes = 10;

rdb::Header header_of_version(unsigned version) {
  const bool valkey = version >= valkey_own_magic;
  return {.dialect = valkey ? rdb::Dialect::valkey : rdb::Dialect::redis, .version = version};
}

/// A payload tells the version of the one who made it, without a key that would have to be there.
net::Result<rdb::Header> ask_own_version(TargetConsole& console, const net::ServerInfo& info) {
  const auto dump = console.call({"FUNCTION", "DUMP"});
  if (!dump) return std::unexpected(dump.error());
  if (dump->type == net::Reply::Type::bulk && dump->text.size() >= footer_bytes) {
    const std::string_view footer =
        std::string_view(dump->text).substr(dump->text.size() - footer_bytes);
    const unsigned low = static_cast<unsigned char>(footer[0]);
    const unsigned high = static_cast<unsigned char>(footer[1]);
    return header_of_version(low | high << 8U);
  }
  constexpr unsigned oldest_written = 6;
  return rdb_format_of(info).value_or(header_of_version(oldest_written));
}

net::Result<void> ask_settings(TargetConsole& console, FeedTarget& target) {
  for (const std::string_view name : settings) {
    const auto reply = console.call({"CONFIG", "GET", name});
    if (!reply) return std::unexpected(reply.error());
    if (reply->elements.size() == 2) target.settings[std::string(name)] = reply->elements[1].text;
  }
  return {};
}

/// Servers before 7.0 have none, and none before 4.0 has modules: errors say as much.
net::Result<void> ask_extensions(TargetConsole& console, FeedTarget& target) {
  const auto functions = console.call({"FUNCTION", "LIST"});
  if (!functions) return std::unexpected(functions.error());
  target.functions = functions->elements.size();
  const auto modules = console.call({"MODULE", "LIST"});
  if (!modules) return std::unexpected(modules.error());
  for (const net::Reply& module : modules->elements) {
    for (std::size_t i = 0; i + 1 < module.elements.size(); i += 2) {
      if (module.elements[i].text == "name") target.modules.push_back(module.elements[i + 1].text);
    }
  }
  return {};
}

net::Result<std::string> ask_info(TargetConsole& console) {
  std::string text;
  for (const std::string_view section :
       {"server", "replication", "persistence", "keyspace", "memory"}) {
    auto part = console.info(section);
    if (!part) return part;
    text += *part;
  }
  return text;
}

}  // namespace

std::string FeedTarget::setting(const std::string& name) const {
  const auto found = settings.find(name);
  return found == settings.end() ? std::string() : found->second;
}

net::Result<FeedTarget> look_at_feed_target(TargetConsole& console) {
  FeedTarget target;
  const auto text = ask_info(console);
  if (!text) return std::unexpected(text.error());
  target.info = net::parse_server_info(*text);
  target.replid = info_field(*text, "master_replid");
  target.primary_host = info_field(*text, "master_host");
  target.primary_port = static_cast<std::uint16_t>(info_number(info_field(*text, "master_port")));
  target.port = static_cast<std::uint16_t>(info_number(info_field(*text, "tcp_port")));
  target.keys = info_keys(*text);
  target.used_memory = info_number(info_field(*text, "used_memory"));
  const auto ends = console.ends();
  if (!ends) return std::unexpected(ends.error());
  target.ends = *ends;
  if (target.info.loading) return target;  // it would answer nothing else
  auto own = ask_own_version(console, target.info);
  if (!own) return std::unexpected(own.error());
  target.own = *own;
  if (auto asked = ask_settings(console, target); !asked) return std::unexpected(asked.error());
  if (auto asked = ask_extensions(console, target); !asked) return std::unexpected(asked.error());
  return target;
}

bool is_feed_target(const FeedTarget& target, const net::ReplicaPeer& peer) {
  constexpr std::size_t replid_digits = 40;
  if (target.replid.size() == replid_digits && peer.replid == target.replid) return true;
  if (peer.address != target.ends.remote) return false;
  if (peer.listening_port == 0 || peer.listening_port == target.port) return true;
  return std::to_string(peer.listening_port) == target.setting("replica-announce-port");
}

}  // namespace sluice::engine
