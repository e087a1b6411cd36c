#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "storage/object_store.h"

namespace sluice::storage {

enum class StoreCall : std::uint8_t {
  get,
  get_range,
  size_of,
  put_if_absent,
  put_if_match,
  list,
  remove,
  move,
};

enum class StoreFault : std::uint8_t {
  refused,            ///< EIO, and nothing was done.
  lost_response,      ///< EIO, and it was done.
  torn,               ///< Of a put: EIO, and the first half of the bytes is there.
  condition_ignored,  ///< Of a put: done whatever is there.
  truncated,          ///< Of a listing: the last third is missing, and nothing says so.
  empty,              ///< Of a listing: nothing, and nothing says so.
  repeated,           ///< Of a listing: the first two thirds come twice.
};

/// Another store, some calls of which go wrong. `store` must outlive it.
class FaultyStore final : public ObjectStore {
 public:
  static constexpr int every = -1;

  explicit FaultyStore(ObjectStore& store) noexcept : store_(store) {}

  /// The `nth` call of that kind from now on (1: the next), or `every` one, goes wrong.
  void inject(StoreCall call, int nth, StoreFault fault) {
    const std::scoped_lock lock(mutex_);
    plans_[call] = {.countdown = nth, .fault = fault};
  }
  [[nodiscard]] int calls(StoreCall call) {
    const std::scoped_lock lock(mutex_);
    return calls_[call];
  }

  [[nodiscard]] Result<Object> get(std::string_view name, std::uint64_t bytes_max) override {
    return spoiled(StoreCall::get, name, [&] { return store_.get(name, bytes_max); });
  }
  [[nodiscard]] Result<std::string> get_range(std::string_view name, std::uint64_t offset,
                                              std::uint64_t count) override {
    return spoiled(StoreCall::get_range, name,
                   [&] { return store_.get_range(name, offset, count); });
  }
  [[nodiscard]] Result<std::optional<std::uint64_t>> size_of(std::string_view name) override {
    return spoiled(StoreCall::size_of, name, [&] { return store_.size_of(name); });
  }
  [[nodiscard]] Result<Version> put_if_absent(std::string_view name,
                                              std::string_view bytes) override {
    const auto fault = next(StoreCall::put_if_absent);
    if (fault == StoreFault::condition_ignored) return put_anyway(name, bytes);
    if (fault == StoreFault::torn) bytes = bytes.substr(0, bytes.size() / 2);
    return spoil(fault, name, [&] { return store_.put_if_absent(name, bytes); });
  }
  [[nodiscard]] Result<Version> put_if_match(std::string_view name, std::string_view bytes,
                                             const Version& version) override {
    const auto fault = next(StoreCall::put_if_match);
    if (fault == StoreFault::condition_ignored) return put_anyway(name, bytes);
    if (fault == StoreFault::torn) bytes = bytes.substr(0, bytes.size() / 2);
    return spoil(fault, name, [&] { return store_.put_if_match(name, bytes, version); });
  }
  [[nodiscard]] Result<std::vector<Entry>> list(std::string_view prefix) override {
    const auto fault = next(StoreCall::list);
    auto entries = spoil(fault, prefix, [&] { return store_.list(prefix); });
    if (!entries) return entries;
    const auto part = [&entries](std::size_t thirds) {
      return entries->begin() + static_cast<std::ptrdiff_t>(entries->size() * thirds / 3);
    };
    if (fault == StoreFault::truncated) entries->erase(part(2), entries->end());
    if (fault == StoreFault::empty) entries->clear();
    if (fault == StoreFault::repeated) {
      const std::vector<Entry> again(entries->begin(), part(2));
      entries->insert(part(2), again.begin(), again.end());
    }
    return entries;
  }
  [[nodiscard]] Result<void> remove(std::string_view name) override {
    return spoiled(StoreCall::remove, name, [&] { return store_.remove(name); });
  }
  [[nodiscard]] Result<void> move(std::string_view from, std::string_view to) override {
    return spoiled(StoreCall::move, from, [&] { return store_.move(from, to); });
  }

 private:
  struct Plan {
    int countdown = 0;
    StoreFault fault = StoreFault::refused;
  };

  std::optional<StoreFault> next(StoreCall call) {
    const std::scoped_lock lock(mutex_);
    ++calls_[call];
    const auto plan = plans_.find(call);
    if (plan == plans_.end()) return std::nullopt;
    if (plan->second.countdown == every) return plan->second.fault;
    if (--plan->second.countdown > 0) return std::nullopt;
    const StoreFault fault = plan->second.fault;
    plans_.erase(plan);
    return fault;
  }

  static std::unexpected<Error> failure(std::string_view name) {
    return std::unexpected(system_error(EIO, "injected", name));
  }

  template <class Call>
  static auto spoil(std::optional<StoreFault> fault, std::string_view name, Call call)
      -> decltype(call()) {
    if (fault == StoreFault::refused) return failure(name);
    auto result = call();
    const bool lost = fault == StoreFault::lost_response || fault == StoreFault::torn;
    if (lost && result) return failure(name);
    return result;
  }
  template <class Call>
  auto spoiled(StoreCall kind, std::string_view name, Call call) -> decltype(call()) {
    return spoil(next(kind), name, std::move(call));
  }

  Result<Version> put_anyway(std::string_view name, std::string_view bytes) {
    if (auto ok = store_.remove(name); !ok) return std::unexpected(std::move(ok.error()));
    return store_.put_if_absent(name, bytes);
  }

  ObjectStore& store_;
  std::mutex mutex_;
  std::map<StoreCall, Plan> plans_;
  std::map<StoreCall, int> calls_;
};

}  // namespace sluice::storage
