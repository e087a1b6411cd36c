#include "sluice/history.h"

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <span>
#include <utility>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/json.h"
#include "engine/progress_meter.h"
#include "engine/record_diff.h"
#include "engine/record_finder.h"
#include "engine/repository_access.h"
#include "engine/type_name.h"
#include "rdb/parser.h"
#include "sluice/catalog.h"

namespace sluice {
namespace {

using engine::RecordView;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A state, and what it takes to tell whether the next one is another.
struct Seen {
  KeyState state;
  std::optional<rdb::Digest128> terms;
  std::vector<std::byte> undecodable;  ///< The value's bytes, when it has no terms.
  /// The run that holds the key: while it stays the same, so does the state.
  std::optional<storage::IdentityHalf> run;
};

bool differ(const Seen& a, const Seen& b) {
  if (a.state.present != b.state.present) return true;
  if (!a.state.present) return false;
  return a.state.db != b.state.db || a.state.type != b.state.type ||
         a.state.expire_at_ms != b.state.expire_at_ms || a.terms != b.terms ||
         a.undecodable != b.undecodable;
}

/// Finds a key in a stream and stops the parser behind it.
class StreamFinder final : public rdb::Handler {
 public:
  explicit StreamFinder(const HistoryOptions& options) : options_(options) {}

  bool on_header(const rdb::Header& header) override {
    header_ = header;
    return true;
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    inside_ = (!options_.db || *options_.db == record.db) &&
              std::ranges::equal(record.key, bytes_of(options_.key));
    if (!inside_) return true;
    record_.expire_at_ms = record.expire_at_ms;
    seen_.state.db = record.db;
    seen_.state.expire_at_ms = RecordView::expiry(record_);
    logical_ = record.type->logical;
    digest_.begin(record, header_);
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    if (!inside_) return true;
    const auto head = std::min(part.size(), engine::type_head_bytes - head_.size());
    head_.insert(head_.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(head));
    seen_.state.value_bytes += part.size();
    digest_.add(part);
    return true;
  }
  bool on_record_end(std::uint64_t) override {
    if (!inside_) return true;
    seen_.terms = digest_.end_record();
    seen_.state.type = engine::type_name(logical_, head_);
    seen_.state.present = true;
    return false;
  }

  [[nodiscard]] Seen& seen() noexcept { return seen_; }

 private:
  const HistoryOptions& options_;
  rdb::Header header_;
  engine::DigestReader digest_;
  engine::Record record_;
  rdb::LogicalType logical_{};
  std::vector<std::byte> head_;  // of the value
  bool inside_ = false;
  Seen seen_;
};

Result<Seen> look_in_stream(const storage::Repository& repository, const engine::OpenBackup& backup,
                            const HistoryOptions& options, const JobContext& job) {
  StreamFinder finder(options);
  rdb::Parser parser(finder);
  const auto read = engine::read_back(repository, backup, parser, job, {});
  if (!finder.seen().state.present && !read) return std::unexpected(read.error());
  return std::move(finder.seen());
}

/// The state in a backup in canonical layout; that before when the run of the key is the same.
Result<Seen> look_in_run(const storage::Repository& repository, const engine::OpenBackup& backup,
                         const HistoryOptions& options, const Seen* before) {
  const auto map = engine::CanonicalMap::of(backup.stored);
  if (!map) return std::unexpected(map.error());
  const bool by_slot = backup.manifest.by_slot();
  engine::SideReader chunks(repository, backup.stored);
  engine::RecordFinder finder(*map, by_slot, chunks);
  const auto key = bytes_of(options.key);
  if (before != nullptr && before->run) {
    const auto run = finder.run_for(key, before->state.db);
    // A database before that one may have the key by now.
    const bool first = run && (options.db || map->databases().front() == before->state.db);
    if (first && backup.stored.chunks[*run].identity == *before->run) return *before;
  }
  const auto found = finder.find(key, options.db);
  if (!found) return std::unexpected(found.error());
  Seen seen;
  if (!*found) return seen;
  const engine::Record& record = (*found)->record;
  RecordView view(*map, engine::header_of(backup.manifest), by_slot, chunks);
  auto terms = view.terms((*found)->db, record);
  if (!terms) return std::unexpected(terms.error());
  auto type = view.type_name(record);
  if (!type) return std::unexpected(type.error());
  const auto value_bytes = view.value_bytes(record);
  if (!value_bytes) return std::unexpected(value_bytes.error());
  seen.state.present = true;
  seen.state.db = (*found)->db;
  seen.state.type = *std::move(type);
  seen.state.value_bytes = *value_bytes;
  seen.state.expire_at_ms = RecordView::expiry(record);
  seen.terms = *terms;
  if (!seen.terms) seen.undecodable.assign(record.value.begin(), record.value.end());
  seen.run = backup.stored.chunks[(*found)->run].identity;
  return seen;
}

/// One history under way.
class HistoryRun {
 public:
  HistoryRun(const HistoryOptions& options, const JobContext& job)
      : options_(options), job_(job), meter_(job) {}

  Result<std::vector<KeyState>> run() {
    auto repository = engine::open_repository(options_.repository, false, options_.io);
    if (!repository) return std::unexpected(repository.error());
    repository_ = *std::move(repository);
    const auto infos = repository_->list(options_.instance);
    if (!infos) return std::unexpected(engine::from_storage(infos.error()));
    for (const storage::BackupInfo& info : *infos) {
      if (job_.stop.stop_requested()) return std::unexpected(engine::cancelled());
      if (!wanted(info)) continue;
      meter_.set_phase("looking into " + info.key.id);
      meter_.update(0, 0);
      auto added = add(info);
      if (!added) return std::unexpected(added.error());
    }
    if (states_.empty()) return std::unexpected(nothing_there());
    return std::move(states_);
  }

 private:
  [[nodiscard]] bool wanted(const storage::BackupInfo& info) const {
    const auto started_at_ms = static_cast<std::int64_t>(info.started_at_ms);
    return (!options_.from_ms || started_at_ms >= *options_.from_ms) &&
           (!options_.to_ms || started_at_ms <= *options_.to_ms);
  }

  [[nodiscard]] Error nothing_there() const {
    return {.stage = Stage::storage,
            .code = "not_found",
            .message = "repository " + repository_->path() + " has no backup of " +
                       options_.instance +
                       (options_.from_ms || options_.to_ms ? " from then" : "") +
                       "; sluice list shows what there is"};
  }

  Result<void> add(const storage::BackupInfo& info) {
    auto seen = look(info.key);
    if (!seen && seen.error().code == "cancelled") return std::unexpected(seen.error());
    KeyState state;
    if (seen) {
      state = seen->state;
      state.changed = !before_ || differ(*before_, *seen);
      before_ = *std::move(seen);
    } else {
      state.error = seen.error().message;
    }
    state.id = info.key.id;
    state.started_at_ms = static_cast<std::int64_t>(info.started_at_ms);
    states_.push_back(std::move(state));
    return {};
  }

  Result<Seen> look(const storage::BackupKey& key) {
    const auto backup = engine::open_backup(*repository_, key);
    if (!backup) return std::unexpected(backup.error());
    if (backup->manifest.layout == engine::Manifest::layout_canonical)
      return look_in_run(*repository_, *backup, options_, before_ ? &*before_ : nullptr);
    meter_.notice("backup " + key.id + " is in layout " + backup->manifest.layout +
                  ": it is read up to the key");
    return look_in_stream(*repository_, *backup, options_, job_);
  }

  const HistoryOptions& options_;
  const JobContext& job_;
  engine::ProgressMeter meter_;
  std::unique_ptr<storage::Repository> repository_;
  std::optional<Seen> before_;
  std::vector<KeyState> states_;
};

}  // namespace

Result<std::vector<KeyState>> history(const HistoryOptions& options, const JobContext& job) {
  return HistoryRun(options, job).run();
}

std::string to_json(const std::vector<KeyState>& states) {
  namespace json = boost::json;
  json::array list;
  for (const KeyState& state : states) {
    json::object object{{"id", state.id},
                        {"started_at", format_time(state.started_at_ms)},
                        {"present", state.present}};
    if (state.present) {
      object["db"] = state.db;
      object["type"] = state.type;
      object["value_bytes"] = state.value_bytes;
      if (state.expire_at_ms) object["pexpireat"] = *state.expire_at_ms;
    }
    object["changed"] = state.changed;
    object["error"] = engine::json_optional(state.error);
    list.push_back(std::move(object));
  }
  return json::serialize(list);
}

}  // namespace sluice
