#pragma once

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <utility>

#include "storage/object_store.h"

namespace sluice::storage {

/// Objects in memory: what the contract of a store means, in as few words as can be. A version
/// never comes back here, as on a store that counts its writes.
class MemoryStore final : public ObjectStore {
 public:
  [[nodiscard]] Result<Object> get(std::string_view name, std::uint64_t bytes_max) override {
    if (auto ok = check_object_name(name); !ok) return std::unexpected(ok.error());
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(name);
    if (found == objects_.end()) return refuse(Errc::not_found, name);
    if (found->second.bytes.size() > bytes_max) return refuse(Errc::limit_exceeded, name);
    return found->second;
  }

  [[nodiscard]] Result<std::string> get_range(std::string_view name, std::uint64_t offset,
                                              std::uint64_t count) override {
    auto object = get(name, UINT64_MAX);
    if (!object) return std::unexpected(std::move(object.error()));
    const std::uint64_t size = object->bytes.size();
    if (offset > size || count > size - offset) return refuse(Errc::truncated, name);
    return object->bytes.substr(offset, count);
  }

  [[nodiscard]] Result<std::optional<std::uint64_t>> size_of(std::string_view name) override {
    const auto object = get(name, UINT64_MAX);
    if (object) return object->bytes.size();
    if (object.error().code == Errc::not_found) return std::nullopt;
    return std::unexpected(object.error());
  }

  [[nodiscard]] Result<Version> put_if_absent(std::string_view name,
                                              std::string_view bytes) override {
    if (auto ok = check_object_name(name); !ok) return std::unexpected(ok.error());
    const std::scoped_lock lock(mutex_);
    if (objects_.contains(name)) return refuse(Errc::exists, name);
    return put(name, bytes);
  }

  [[nodiscard]] Result<Version> put_if_match(std::string_view name, std::string_view bytes,
                                             const Version& version) override {
    if (auto ok = check_object_name(name); !ok) return std::unexpected(ok.error());
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(name);
    if (found == objects_.end() || found->second.version != version)
      return refuse(Errc::changed, name);
    return put(name, bytes);
  }

  [[nodiscard]] Result<std::vector<Entry>> list(std::string_view prefix) override {
    if (auto ok = check_object_prefix(prefix); !ok) return std::unexpected(ok.error());
    const std::scoped_lock lock(mutex_);
    std::vector<Entry> entries;
    for (const auto& [name, object] : objects_) {
      if (name.starts_with(prefix)) entries.push_back({.name = name, .bytes = object.bytes.size()});
    }
    return entries;
  }

  [[nodiscard]] Result<void> remove(std::string_view name) override {
    if (auto ok = check_object_name(name); !ok) return ok;
    const std::scoped_lock lock(mutex_);
    objects_.erase(std::string(name));
    return {};
  }

  [[nodiscard]] Result<void> move(std::string_view from, std::string_view to) override {
    for (const std::string_view name : {from, to}) {
      if (auto ok = check_object_name(name); !ok) return ok;
    }
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(from);
    if (found == objects_.end()) return refuse(Errc::not_found, from);
    if (objects_.contains(to)) return refuse(Errc::exists, to);
    auto node = objects_.extract(found);
    node.key() = to;
    objects_.insert(std::move(node));
    return {};
  }

 private:
  static std::unexpected<Error> refuse(Errc code, std::string_view name) {
    return std::unexpected(Error{.code = code, .detail = std::string(name)});
  }

  Version put(std::string_view name, std::string_view bytes) {
    Version version = fmt::format("v{}", ++writes_);
    objects_.insert_or_assign(std::string(name),
                              Object{.bytes = std::string(bytes), .version = version});
    return version;
  }

  std::mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_;
  std::uint64_t writes_ = 0;
};

}  // namespace sluice::storage
