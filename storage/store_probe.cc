#include "storage/store_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/backup_id.h"
#include "storage/checksum.h"

namespace sluice::storage {
namespace {

constexpr std::string_view first = "first";
constexpr std::string_view second = "second";
constexpr std::string_view third = "third";

std::unexpected<Error> unfit(std::string_view name, std::string_view what) {
  return std::unexpected(Error{.code = std::make_error_code(std::errc::operation_not_supported),
                               .detail = fmt::format("{}: {}", name, what)});
}

/// Refused for the reason `expected`. Another reason is the store's error, not the probe's finding.
Result<void> expect_refused(const Result<ObjectStore::Version>& put, Errc expected,
                            std::string_view name, std::string_view what) {
  if (put) return unfit(name, what);
  if (put.error().code == expected) return {};
  return std::unexpected(put.error());
}

Result<void> expect_content(ObjectStore& store, std::string_view name, std::string_view bytes) {
  const auto object = store.get(name, bytes.size() + first.size() + second.size());
  if (!object && object.error().code == Errc::not_found)
    return unfit(name, "what was just put is not found");
  if (!object) return std::unexpected(object.error());
  if (object->bytes != bytes) return unfit(name, "what was just put is not what is read");
  return {};
}

Result<void> expect_listed(ObjectStore& store, std::string_view name) {
  const auto entries = store.list("tmp/");
  if (!entries) return std::unexpected(entries.error());
  if (std::ranges::find(*entries, name, &ObjectStore::Entry::name) != entries->end()) return {};
  return unfit(name, "what was just put is not listed");
}

Result<void> probe(ObjectStore& store, const std::string& name) {
  const auto created = store.put_if_absent(name, first);
  if (!created) return std::unexpected(created.error());
  auto ok = expect_listed(store, name);
  if (ok) {
    ok = expect_refused(store.put_if_absent(name, second), Errc::exists, name,
                        "a second object of one name was accepted");
  }
  if (ok) ok = expect_content(store, name, first);
  if (!ok) return ok;
  const auto replaced = store.put_if_match(name, second, *created);
  if (!replaced) return std::unexpected(replaced.error());
  ok = expect_content(store, name, second);
  if (ok) {
    ok = expect_refused(store.put_if_match(name, third, *created), Errc::changed, name,
                        "a version that was gone was replaced");
  }
  if (ok) ok = expect_content(store, name, second);
  return ok;
}

}  // namespace

Result<void> probe_conditional_writes(ObjectStore& store) {
  std::array<std::byte, 8> own{};
  if (auto ok = fill_random(own); !ok) return ok;
  const std::string name = "tmp/probe-" + to_hex(own);
  auto found = probe(store, name);
  auto removed = store.remove(name);
  return found ? removed : found;
}

}  // namespace sluice::storage
