#include "storage/io_hint.h"

#include <boost/json.hpp>
#include <cmath>

#include "storage/format.h"
#include "storage/layout.h"
#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-io";

/// A rate, or 0 for what is none.
double rate(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  boost::system::error_code bad;
  const double number = value != nullptr ? value->to_number<double>(bad) : 0;
  return !bad && std::isfinite(number) && number > 0 ? number : 0;
}

}  // namespace

std::string serialize(const IoHint& hint) {
  const json::object root{{"magic", magic},
                          {"direct", hint.direct},
                          {"measured_at_ms", hint.measured_at_ms},
                          {"direct_mb_s", hint.direct_mb_s},
                          {"buffered_mb_s", hint.buffered_mb_s},
                          {"kernel", hint.kernel}};
  return seal(json::serialize(root));
}

std::optional<IoHint> parse_io_hint(std::string_view sealed) {
  const auto text = unseal(sealed, name::io_hint);
  if (!text) return std::nullopt;
  boost::system::error_code bad;
  const json::value value = json::parse(*text, bad);
  const json::object* root = bad ? nullptr : value.if_object();
  if (root == nullptr) return std::nullopt;
  const json::value* found = root->if_contains("magic");
  if (found == nullptr || !found->is_string() || found->get_string() != magic) return std::nullopt;
  const json::value* direct = root->if_contains("direct");
  if (direct == nullptr || !direct->is_bool()) return std::nullopt;

  IoHint hint{.direct = direct->get_bool(),
              .measured_at_ms = 0,
              .direct_mb_s = rate(*root, "direct_mb_s"),
              .buffered_mb_s = rate(*root, "buffered_mb_s"),
              .kernel = {}};
  const json::value* measured_at = root->if_contains("measured_at_ms");
  if (measured_at != nullptr && measured_at->is_int64() && measured_at->get_int64() > 0)
    hint.measured_at_ms = static_cast<std::uint64_t>(measured_at->get_int64());
  const json::value* kernel = root->if_contains("kernel");
  if (kernel != nullptr && kernel->is_string()) hint.kernel = kernel->get_string();
  return hint;
}

std::optional<IoHint> read_io_hint(const Directory& root) {
  const auto text = read_text(root, std::string(name::io_hint), format::text_bytes_max);
  if (!text) return std::nullopt;
  return parse_io_hint(*text);
}

Result<void> write_io_hint(const Directory& root, const IoHint& hint) {
  return replace_text(root, std::string(name::io_hint), serialize(hint));
}

bool prefers_direct(double direct_mb_s, double buffered_mb_s) noexcept {
  return direct_mb_s > 0 && direct_mb_s >= 0.95 * buffered_mb_s;
}

}  // namespace sluice::storage
