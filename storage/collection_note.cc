#include "storage/collection_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>

#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

constexpr const char* file = "LAST";
constexpr std::string_view magic = "sluice-collection";

std::optional<std::uint64_t> noted(const Layout& layout) {
  const auto directory = layout.directory(name::gc);
  if (!directory) return std::nullopt;
  const auto sealed = read_text(*directory, file, format::text_bytes_max);
  if (!sealed) return std::nullopt;
  const auto text = unseal(*sealed, directory->path_of(file));
  if (!text) return std::nullopt;
  boost::system::error_code bad;
  const boost::json::value root = boost::json::parse(*text, bad);
  const auto* object = bad ? nullptr : root.if_object();
  const auto* count = object == nullptr ? nullptr : object->if_contains("listed");
  if (count == nullptr || !count->is_int64() || count->get_int64() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(count->get_int64());
}

}  // namespace

std::optional<Error> check_plausible(const Layout& layout, std::uint64_t listed) {
  const auto before = noted(layout);
  if (!before || listed * 5 >= *before * 4) return std::nullopt;
  return Error{
      .code = Errc::implausible,
      .detail = fmt::format("{}: {} backups are listed, and were {} at the last collection",
                            layout.root().path_of(name::instances), listed, *before)};
}

void note_listed(const Layout& layout, std::uint64_t listed) {
  if (!make_directory(layout.root(), std::string(name::gc))) return;
  const auto directory = layout.directory(name::gc);
  if (!directory) return;
  const boost::json::object note{{"magic", magic}, {"listed", listed}};
  if (!replace_text(*directory, file, seal(boost::json::serialize(note))))
    (void)remove_file(*directory, file);
}

void note_removed(const Layout& layout, std::uint64_t removed) {
  if (const auto before = noted(layout)) note_listed(layout, *before - std::min(*before, removed));
}

}  // namespace sluice::storage
