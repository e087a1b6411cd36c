#include "storage/pin.h"

#include <boost/json.hpp>
#include <chrono>
#include <string>

#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

constexpr std::string_view magic = "sluice-pin";

std::optional<Pin> parse(std::string_view sealed, std::string_view object) {
  const auto text = unseal(sealed, object);
  if (!text) return std::nullopt;
  boost::system::error_code bad;
  const boost::json::value root = boost::json::parse(*text, bad);
  const auto* fields = bad ? nullptr : root.if_object();
  if (fields == nullptr) return std::nullopt;
  const auto* since = fields->if_contains("since_ms");
  const auto* note = fields->if_contains("note");
  if (since == nullptr || !since->is_int64() || note == nullptr || !note->is_string())
    return std::nullopt;
  return Pin{.since_ms = static_cast<std::uint64_t>(since->get_int64()),
             .note = std::string(note->get_string())};
}

}  // namespace

Result<std::optional<Pin>> read_pin(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const std::string file(name::pinned);
  const auto sealed = read_text(*directory, file, format::text_bytes_max);
  if (!sealed && sealed.error().code == Errc::not_found) return std::nullopt;
  if (!sealed && sealed.error().code == Errc::limit_exceeded) return Pin();
  if (!sealed) return std::unexpected(sealed.error());
  return parse(*sealed, directory->path_of(file)).value_or(Pin());
}

Result<void> write_pin(const Layout& layout, const BackupKey& key, std::string_view note) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const boost::json::object pin{{"magic", magic},
                                {"since_ms", std::chrono::duration_cast<milliseconds>(now).count()},
                                {"note", note}};
  return replace_text(*directory, std::string(name::pinned), seal(boost::json::serialize(pin)));
}

Result<void> remove_pin(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = remove_file(*directory, std::string(name::pinned)); !ok) return ok;
  return sync_directory(*directory);
}

}  // namespace sluice::storage
