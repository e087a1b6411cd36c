#include "engine/damage_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/fragment_owners.h"

namespace sluice::engine {
namespace {

using storage::format::BlobType;

/// Tells of one backup's findings.
class Reporter {
 public:
  Reporter(const storage::Repository& repository, const OpenBackup& backup, const CanonicalMap* map)
      : repository_(repository), backup_(backup), map_(map) {}

  DamageReport report(const std::vector<CheckFinding>& findings);

 private:
  void know_owners(const std::vector<CheckFinding>& findings);
  void add_line(const CheckFinding& finding);
  void add_damage(const CheckFinding& finding, std::optional<std::uint32_t> chunk);
  void describe(std::uint32_t chunk, VerifyDamage& damage) const;
  void describe_run(std::uint32_t chunk, VerifyDamage& damage) const;
  void describe_stream(std::uint32_t chunk, VerifyDamage& damage) const;
  [[nodiscard]] BlobType type_of(std::uint32_t chunk) const {
    return static_cast<BlobType>(backup_.stored.chunks[chunk].type);
  }

  const storage::Repository& repository_;
  const OpenBackup& backup_;
  const CanonicalMap* map_;
  std::map<std::uint32_t, FragmentOwner> owners_;
  DamageReport report_;
};

void Reporter::know_owners(const std::vector<CheckFinding>& findings) {
  if (map_ == nullptr) return;
  std::vector<std::uint32_t> fragments;
  for (const CheckFinding& finding : findings) {
    for (const std::uint32_t chunk : finding.chunks) {
      if (type_of(chunk) == BlobType::fragment) fragments.push_back(chunk);
    }
  }
  std::ranges::sort(fragments);
  owners_ = find_fragment_owners(repository_, backup_, *map_, fragments);
}

void Reporter::describe_run(std::uint32_t chunk, VerifyDamage& damage) const {
  const RunTag tag = map_->run(chunk);
  damage.what = "run";
  damage.db = tag.db;
  damage.keys = tag.records;
  damage.first_key = shown_key(map_->label(chunk), backup_.manifest);
  const std::uint32_t next = chunk + 1;
  if (next < map_->runs().end && map_->run(next).db == tag.db)
    damage.next_key = shown_key(map_->label(next), backup_.manifest);
}

void Reporter::describe_stream(std::uint32_t chunk, VerifyDamage& damage) const {
  const auto& chunks = backup_.stored.chunks;
  const bool is_last = chunk + 1 == chunks.size();
  const std::uint64_t begin = chunks[chunk].tag[0];
  std::uint64_t end = is_last ? backup_.manifest.keys : chunks[chunk + 1].tag[0];
  if (!is_last && chunks[chunk + 1].tag[2] != 0) ++end;  // one that goes on there
  damage.what = "stream";
  damage.db = chunks[chunk].tag[1];
  damage.first_record = begin;
  damage.keys = end < begin ? 0 : end - begin;
}

void Reporter::describe(std::uint32_t chunk, VerifyDamage& damage) const {
  switch (type_of(chunk)) {
    case BlobType::stream: return describe_stream(chunk, damage);
    case BlobType::records:
      if (map_ != nullptr) describe_run(chunk, damage);
      return;
    case BlobType::fragment:
      damage.what = "fragment";
      if (const auto owner = owners_.find(chunk); owner != owners_.end()) {
        damage.db = owner->second.db;
        damage.first_key = owner->second.first_key;
        damage.keys = owner->second.keys;
      }
      return;
    case BlobType::preamble:
      damage.what = map_ != nullptr && chunk >= map_->tail().first ? "tail" : "head";
      return;
  }
}

/// What is lost, in words.
std::string lost_in(const VerifyDamage& damage) {
  if (damage.what == "run") {
    return fmt::format("db {}, {} key(s) from \"{}\" to {}", *damage.db, damage.keys,
                       *damage.first_key,
                       damage.next_key ? "before \"" + *damage.next_key + "\"" : "the last");
  }
  if (damage.what == "fragment") {
    if (!damage.first_key) return "a piece of a long value";
    return fmt::format("db {}, a piece of the value of key \"{}\"{}", *damage.db, *damage.first_key,
                       damage.keys > 1 ? " and others" : "");
  }
  if (damage.what == "stream") {
    return fmt::format("db {}, {} record(s) from the {}th", *damage.db, damage.keys,
                       *damage.first_record + 1);
  }
  if (damage.what == "head") return "aux fields and functions before the first key";
  if (damage.what == "tail") return "module data after the last key";
  return "";
}

void Reporter::add_damage(const CheckFinding& finding, std::optional<std::uint32_t> chunk) {
  ++report_.damage_count;
  if (report_.damage.size() == VerifyResult::damage_max) return;
  VerifyDamage damage;
  damage.object = finding.object;
  damage.offset = finding.offset;
  damage.chunk = chunk;
  std::optional<DamagedPlace> place;
  if (chunk) {
    describe(*chunk, damage);
    if (!damage.offset && finding.pack) {  // the whole pack is gone
      for (const storage::BlobRef& blob : backup_.stored.blobs_of(*chunk)) {
        if (backup_.stored.packs[blob.pack].id == *finding.pack) damage.offset = blob.offset;
      }
    }
  }
  if (finding.pack) place = DamagedPlace{.pack = *finding.pack, .offset = damage.offset};
  report_.damage.push_back(std::move(damage));
  report_.places.push_back(place);
  report_.problem_of.push_back(report_.problem_count - 1);
}

void Reporter::add_line(const CheckFinding& finding) {
  std::string line = finding.message;
  if (!report_.damage.empty() && finding.chunks.size() == 1) {
    const VerifyDamage& damage = report_.damage.back();
    const std::string lost = damage.chunk == finding.chunks.front() ? lost_in(damage) : "";
    if (!lost.empty()) line += "; lost: " + lost;
  } else if (finding.chunks.size() > 1) {
    line += fmt::format("; {} chunks are lost", finding.chunks.size());
  }
  report_.problems.push_back(std::move(line));
}

DamageReport Reporter::report(const std::vector<CheckFinding>& findings) {
  know_owners(findings);
  for (const CheckFinding& finding : findings) {
    ++report_.problem_count;
    if (finding.chunks.empty() && !finding.object.empty()) add_damage(finding, std::nullopt);
    for (const std::uint32_t chunk : finding.chunks) add_damage(finding, chunk);
    if (report_.problems.size() < VerifyResult::problems_max) add_line(finding);
  }
  return std::move(report_);
}

using PackKey = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;

PackKey key_of(const storage::PackId& pack) {
  return {pack.backup.time_ms, pack.backup.random, pack.sequence};
}

/// Damaged places of all reports, by pack.
class Places {
 public:
  explicit Places(std::vector<std::pair<std::string, DamageReport*>> reports)
      : reports_(std::move(reports)) {
    for (std::size_t r = 0; r < reports_.size(); ++r) {
      const auto& places = reports_[r].second->places;
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i]) by_pack_[key_of(places[i]->pack)].push_back({places[i]->offset, r, i});
      }
    }
  }

  [[nodiscard]] bool empty() const noexcept { return by_pack_.empty(); }

  /// Notes what of the damage a backup needs.
  void look_into(const storage::Backup& backup) {
    std::set<std::pair<std::size_t, std::size_t>> hit;
    std::vector<const std::vector<Place>*> of_pack;
    for (const storage::PackRef& pack : backup.packs) {
      const auto found = by_pack_.find(key_of(pack.id));
      of_pack.push_back(found == by_pack_.end() ? nullptr : &found->second);
      if (of_pack.back() == nullptr) continue;
      for (const Place& place : found->second) {
        if (!place.offset) hit.emplace(place.report, place.damage);
      }
    }
    for (const storage::BlobRef& blob : backup.blobs) {
      if (of_pack[blob.pack] == nullptr) continue;
      for (const Place& place : *of_pack[blob.pack]) {
        if (place.offset == blob.offset) hit.emplace(place.report, place.damage);
      }
    }
    for (const auto& [report, damage] : hit) {
      if (reports_[report].first != backup.key.id)
        reports_[report].second->damage[damage].backups.push_back(backup.key.id);
    }
  }

 private:
  struct Place {
    std::optional<std::uint64_t> offset;
    std::size_t report = 0;
    std::size_t damage = 0;
  };
  std::vector<std::pair<std::string, DamageReport*>> reports_;
  std::map<PackKey, std::vector<Place>> by_pack_;
};

/// The other backups that what a line tells of touches, at its end.
void add_to_lines(DamageReport& report) {
  std::map<std::size_t, std::set<std::string>> by_line;
  for (std::size_t i = 0; i < report.damage.size(); ++i)
    by_line[report.problem_of[i]].insert(report.damage[i].backups.begin(),
                                         report.damage[i].backups.end());
  constexpr std::size_t ids_max = 5;
  for (const auto& [line, ids] : by_line) {
    if (line >= report.problems.size() || ids.empty()) continue;
    std::string& text = report.problems[line];
    text += "; also needed by";
    std::size_t told = 0;
    for (const std::string& id : ids) {
      if (told++ == ids_max) break;
      text += " " + id;
    }
    if (ids.size() > ids_max) text += fmt::format(" and {} more", ids.size() - ids_max);
  }
}

}  // namespace

DamageReport report_damage(const storage::Repository& repository, const OpenBackup& backup,
                           const CanonicalMap* map, std::vector<CheckFinding> findings) {
  return Reporter(repository, backup, map).report(findings);
}

Result<void> add_touched_backups(const storage::Repository& repository,
                                 std::vector<std::pair<std::string, DamageReport*>> reports) {
  Places places(reports);
  if (places.empty()) return {};
  const auto listed = repository.list();
  if (!listed) return std::unexpected(from_storage(listed.error()));
  for (const storage::BackupInfo& info : *listed) {
    if (const auto backup = repository.open_backup(info.key)) places.look_into(*backup);
  }
  for (const auto& [id, report] : reports) add_to_lines(*report);
  return {};
}

}  // namespace sluice::engine
