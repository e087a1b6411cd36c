#include "storage/head.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <optional>

#include "storage/checksum.h"
#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-head";

std::string_view state_name(HeadState state) noexcept {
  switch (state) {
    case HeadState::running: return "running";
    case HeadState::committed: return "committed";
    case HeadState::fenced: return "fenced";
    case HeadState::packs: return "packs";
  }
  return "";
}

/// Reads fields of an object and remembers the first that is missing or of the wrong kind.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  std::string text(std::string_view name) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
    note(name);
    return {};
  }

  /// 0 where there is none.
  std::uint64_t optional_number(std::string_view name) {
    return object_.contains(name) ? static_cast<std::uint64_t>(number(name)) : 0;
  }

  std::int64_t number(std::string_view name) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && value->is_int64() && value->get_int64() >= 0) return value->get_int64();
    note(name);
    return 0;
  }

  void note(std::string_view name) {
    if (bad_.empty()) bad_ = name;
  }
  [[nodiscard]] const std::string& bad() const noexcept { return bad_; }

 private:
  const json::object& object_;
  std::string bad_;
};

std::optional<HeadState> parse_state(std::string_view name) {
  for (const HeadState state : head_states) {
    if (state_name(state) == name) return state;
  }
  return std::nullopt;
}

void read_parent(const json::object& root, Fields& fields, Head& head) {
  if (!root.contains("parent")) return;
  head.parent = parse_backup_id(fields.text("parent"));
  if (!head.parent) fields.note("parent");
  if (!root.contains("parent_manifest_xxh3_128")) return;
  if (!from_hex(fields.text("parent_manifest_xxh3_128"), head.parent_manifest_digest.emplace()))
    fields.note("parent_manifest_xxh3_128");
}

std::unexpected<Error> refuse(Errc code, std::string_view object, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", object, what)});
}

}  // namespace

Owner this_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  std::string boot_id;
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::getline(in, boot_id);
  return {.host = host.data(), .pid = ::getpid(), .boot_id = std::move(boot_id)};
}

std::string serialize(const Head& head, const SecretKey* mac_key) {
  json::object root{{"magic", magic},
                    {"state", state_name(head.state)},
                    {"generation", head.generation},
                    {"repository_id", head.repository_id},
                    {"instance", head.key.instance},
                    {"backup_id", head.key.id},
                    {"owner_host", head.owner.host},
                    {"owner_pid", head.owner.pid},
                    {"owner_boot_id", head.owner.boot_id},
                    {"started_at_ms", head.started_at_ms},
                    {"manifest_xxh3_128", to_hex(head.manifest_digest)}};
  if (head.parent) root["parent"] = to_string(*head.parent);
  if (head.parent_manifest_digest)
    root["parent_manifest_xxh3_128"] = to_hex(*head.parent_manifest_digest);
  if (head.lease_until_ms != 0) root["lease_until_ms"] = head.lease_until_ms;
  if (head.fenced_by) {
    root["fenced_by_host"] = head.fenced_by->host;
    root["fenced_by_pid"] = head.fenced_by->pid;
  }
  if (head.manifest_number != 0) root["manifest_number"] = head.manifest_number;
  const std::string text = json::serialize(root);
  return mac_key != nullptr ? seal(add_mac(text, *mac_key)) : seal(text);
}

Result<Head> parse_head(std::string_view sealed, std::string_view object,
                        const SecretKey* mac_key) {
  auto text = unseal(sealed, object);
  if (text) text = check_mac(*text, mac_key, object);
  if (!text) return std::unexpected(text.error());
  boost::system::error_code bad;
  const json::value root = json::parse(*text, bad);
  if (bad || !root.is_object()) return refuse(Errc::corrupt, object, "not a JSON object");

  Fields fields(root.get_object());
  if (fields.text("magic") != magic) return refuse(Errc::corrupt, object, "not a HEAD");
  const std::string state_text = fields.text("state");
  const auto state = parse_state(state_text);
  if (!state) return refuse(Errc::unsupported_format, object, "state \"" + state_text + '"');
  Head head{.state = *state,
            .generation = static_cast<std::uint64_t>(fields.number("generation")),
            .repository_id = fields.text("repository_id"),
            .key = {.instance = fields.text("instance"), .id = fields.text("backup_id")},
            .owner = {.host = fields.text("owner_host"),
                      .pid = fields.number("owner_pid"),
                      .boot_id = fields.text("owner_boot_id")},
            .started_at_ms = static_cast<std::uint64_t>(fields.number("started_at_ms")),
            .manifest_digest = {},
            .parent = {}};
  read_parent(root.get_object(), fields, head);
  if (root.get_object().contains("fenced_by_host")) {
    head.fenced_by = Owner{.host = fields.text("fenced_by_host"),
                           .pid = fields.number("fenced_by_pid"),
                           .boot_id = {}};
  }
  head.lease_until_ms = fields.optional_number("lease_until_ms");
  head.manifest_number = static_cast<std::uint32_t>(fields.optional_number("manifest_number"));
  if (!from_hex(fields.text("manifest_xxh3_128"), head.manifest_digest))
    fields.note("manifest_xxh3_128");
  if (!fields.bad().empty())
    return refuse(Errc::corrupt, object, "field " + fields.bad() + " is missing or wrong");
  return head;
}

}  // namespace sluice::storage
