#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>

namespace sluice::service {

/// What changed, for whoever watches. Holds the last so many changes; who is further behind is told
/// to look at everything. Threads: any.
class EventHub {
 public:
  static constexpr std::size_t remembered = 1000;

  void job_changed(std::int64_t id);
  void instance_changed(const std::string& name);

  struct Changes {
    std::uint64_t seq = 0;  ///< To ask from the next time.
    bool missed = false;    ///< There were more than are remembered.
    std::set<std::int64_t> jobs = {};
    std::set<std::string> instances = {};
  };
  [[nodiscard]] Changes since(std::uint64_t seq) const;
  [[nodiscard]] std::uint64_t seq() const;

 private:
  struct Change {
    std::int64_t job = 0;
    std::string instance = {};
  };
  void add(Change change);

  mutable std::mutex mutex_;
  std::deque<Change> changes_;
  std::uint64_t seq_ = 0;
};

}  // namespace sluice::service
