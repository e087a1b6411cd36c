#include "sluice/diff.h"

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "engine/canonical_map.h"
#include "engine/diff_run.h"
#include "engine/json.h"
#include "engine/place.h"
#include "engine/progress_meter.h"
#include "engine/scratch_repository.h"

namespace sluice {
namespace {

/// The two places as backups in canonical layout and one order.
class Sides {
 public:
  explicit Sides(const DiffOptions& options) : options_(options) {}

  Result<void> open(const JobContext& job) {
    if (auto opened = open(options_.a, a_, job); !opened) return opened;
    if (auto opened = open(options_.b, b_, job); !opened) return opened;
    // Where a node of a cluster is compared with what is none, the order is that by key.
    if (a().backup.manifest.by_slot() == b().backup.manifest.by_slot()) return {};
    return take_again(a().backup.manifest.by_slot() ? a_ : b_, job);
  }

  [[nodiscard]] const engine::PlaceBackup& a() const { return *a_.backup; }
  [[nodiscard]] const engine::PlaceBackup& b() const { return *b_.backup; }
  [[nodiscard]] const std::string& name_a() const { return a_.name; }
  [[nodiscard]] const std::string& name_b() const { return b_.name; }

 private:
  struct Side {
    std::optional<engine::PlaceBackup> backup;
    std::string name;
  };

  Result<void> open(const Place& place, Side& side, const JobContext& job) {
    if (!engine::is_backup(place)) {
      auto ready = make_scratch();
      if (!ready) return ready;
      auto taken = scratch_->take(place, job);
      if (!taken) return std::unexpected(taken.error());
      side.name = taken->backup.manifest.source.uri;
      side.backup = *std::move(taken);
      return {};
    }
    auto opened = engine::open_place(place);
    if (!opened) return std::unexpected(opened.error());
    side.name = opened->backup.stored.key.id;
    side.backup = *std::move(opened);
    return side.backup->is_canonical() ? Result<void>() : take_again(side, job);
  }

  /// In canonical layout, by key.
  Result<void> take_again(Side& side, const JobContext& job) {
    auto ready = make_scratch();
    if (!ready) return ready;
    auto taken = scratch_->take(*side.backup, job);
    if (!taken) return std::unexpected(taken.error());
    side.backup = *std::move(taken);
    return {};
  }

  Result<void> make_scratch() {
    if (scratch_) return {};
    auto made = engine::ScratchRepository::make(options_.a.io);
    if (!made) return std::unexpected(made.error());
    scratch_ = *std::move(made);
    return {};
  }

  const DiffOptions& options_;
  std::unique_ptr<engine::ScratchRepository> scratch_;  // outlives what is open in it
  Side a_;
  Side b_;
};

boost::json::array names_of(const KeyDifference& difference) {
  boost::json::array what;
  if (difference.value) what.emplace_back("value");
  if (difference.ttl) what.emplace_back("ttl");
  if (difference.type) what.emplace_back("type");
  return what;
}

std::string_view to_text(KeyDifference::Change change) {
  switch (change) {
    case KeyDifference::Change::only_a: return "only_a";
    case KeyDifference::Change::only_b: return "only_b";
    case KeyDifference::Change::different: return "different";
  }
  return "unknown";
}

boost::json::value json_type(const std::string& type) {
  return type.empty() ? boost::json::value(nullptr) : boost::json::value(type);
}

}  // namespace

Result<DiffResult> diff(const DiffOptions& options, const OnDifference& on_difference,
                        const JobContext& job) {
  const auto chooser = engine::KeyChooser::make(options.keys);
  if (!chooser) return std::unexpected(chooser.error());
  engine::ProgressMeter meter(job);
  Sides sides(options);
  if (auto opened = sides.open(job); !opened) return std::unexpected(opened.error());
  const auto map_a = engine::CanonicalMap::of(sides.a().backup.stored);
  if (!map_a) return std::unexpected(map_a.error());
  const auto map_b = engine::CanonicalMap::of(sides.b().backup.stored);
  if (!map_b) return std::unexpected(map_b.error());

  DiffResult result;
  result.a = sides.name_a();
  result.b = sides.name_b();
  engine::DiffRun run(sides.a(), *map_a, sides.b(), *map_b, *chooser, on_difference);
  if (auto compared = run.run(result, meter, job); !compared)
    return std::unexpected(compared.error());
  result.seconds = meter.seconds();
  return result;
}

std::string to_json(const KeyDifference& difference) {
  boost::json::object object{{"db", difference.db},
                             {"key", engine::json_bytes(difference.key)},
                             {"change", to_text(difference.change)},
                             {"type_a", json_type(difference.type_a)},
                             {"type_b", json_type(difference.type_b)},
                             {"what", names_of(difference)}};
  if (difference.expire_at_ms_a) object["pexpireat_a"] = *difference.expire_at_ms_a;
  if (difference.expire_at_ms_b) object["pexpireat_b"] = *difference.expire_at_ms_b;
  return boost::json::serialize(object);
}

std::string to_json(const DiffResult& result) {
  return boost::json::serialize(boost::json::object{{"a", result.a},
                                                    {"b", result.b},
                                                    {"same", result.same},
                                                    {"only_a", result.only_a},
                                                    {"only_b", result.only_b},
                                                    {"different", result.different},
                                                    {"runs_skipped", result.runs_skipped},
                                                    {"seconds", result.seconds}});
}

}  // namespace sluice
