#include "engine/restore_plan.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/clock.h"
#include "engine/conversion_loss.h"
#include "engine/convert_stage.h"
#include "engine/errors.h"
#include "engine/restore_filter.h"
#include "engine/target_format.h"
#include "net/client.h"
#include "net/target_writer.h"
#include "rdb/dump.h"

namespace sluice::engine {
namespace {

namespace asio = boost::asio;

/// A number of INFO; none when it is not there.
std::optional<std::uint64_t> info_number(std::string_view info, std::string_view name) {
  const std::string mark = "\n" + std::string(name) + ":";
  const std::size_t at = info.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* const from = info.data() + at + mark.size();
  const auto [end, ec] = std::from_chars(from, info.data() + info.size(), number);
  return ec == std::errc() ? std::optional(number) : std::nullopt;
}

/// INFO memory; empty when the server does not say it.
asio::awaitable<net::Result<std::string>> ask_memory(net::Connection& connection, ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  net::Client client(connection, options);
  auto memory = co_await client.call("INFO", "memory");
  if (!memory) co_return std::unexpected(memory.error());
  co_return memory->is_error() ? std::string() : memory->text;
}

MemoryModel model_of(const net::ServerInfo& info) {
  const bool is_valkey = info.flavor == net::Flavor::valkey;
  return MemoryModel::of_version(is_valkey ? "valkey-ver" : "redis-ver", info.version);
}

}  // namespace

PlanStream::PlanStream(Target target, std::int64_t now_ms, PlanLedger& ledger, Outlet outlet)
    : target_(target),
      now_ms_(now_ms),
      ledger_(ledger),
      outlet_(std::move(outlet)),
      reader_(measure_, {.texts = ValueMeasure::texts, .sizes = true, .strict = false}) {
  measure_.set_model(target.model);
}

/// What the target says decides about the keys that follow, hence it is waited for.
bool PlanStream::select(std::uint64_t db) {
  if (db_ == db) return true;
  if (!finish()) return false;
  db_ = db;
  batch_.begin_command(2);
  batch_.arg("SELECT");
  batch_.arg(std::to_string(db));
  batch_.end_command(PlanLedger::select_tag, "");
  return finish();
}

bool PlanStream::finish() {
  return (batch_.empty() || outlet_.send(batch_.split())) && outlet_.settle();
}

void PlanStream::drop(std::string_view why) {
  is_planned_ = false;
  ledger_.count_failed(planned_.type, planned_.db, key_, why);
}

bool PlanStream::on_record_begin(const rdb::RecordHeader& record) {
  StreamFacts::on_record_begin(record);
  is_planned_ = false;
  planned_ = {.type = record.type->logical, .db = record.db, .memory_bytes = 0};
  key_.assign(record.key.begin(), record.key.end());
  ledger_.count_read(planned_.type);
  if (record.expire_at_ms && *record.expire_at_ms <= now_ms_) {
    ledger_.count_expired(planned_.type);
    return true;
  }
  if (!select(record.db)) return false;
  if (!ledger_.select_error().empty()) {
    drop(fmt::format("SELECT {}: {}", record.db, ledger_.select_error()));
    return true;
  }
  const auto payload = rdb::DumpPayload::begin(record);
  if (!payload) {
    drop(rdb::to_string(payload.error()));
    return true;
  }
  payload_bytes_ = payload->size(0);
  is_planned_ = is_readable_ = true;
  expires_ = record.expire_at_ms.has_value();
  measure_.begin(record, header()->version);
  reader_.begin(record, *header());
  return true;
}

bool PlanStream::on_value_part(std::span<const std::byte> part) {
  StreamFacts::on_value_part(part);
  // What cannot be read counts as what it is as bytes; the target decides whether it takes it.
  if (is_planned_ && is_readable_) is_readable_ = reader_.feed(part).has_value();
  return true;
}

bool PlanStream::on_record_end(std::uint64_t offset) {
  StreamFacts::on_record_end(offset);
  if (!is_planned_) return true;
  const std::uint64_t size = payload_bytes_ + value_bytes();
  if (size > target_.bulk_bytes_max) {
    drop(fmt::format("the value takes {} bytes, the target accepts {}", size,
                     target_.bulk_bytes_max));
    return true;
  }
  is_readable_ = is_readable_ && reader_.end().has_value();
  planned_.memory_bytes = is_readable_ ? measure_.memory_bytes(value_bytes()) : value_bytes();
  if (expires_) ++expiring_;
  return ask();
}

bool PlanStream::ask() {
  if (target_.is_empty) {
    ledger_.decide(planned_, key_, false);
    return true;
  }
  batch_.begin_command(2);
  batch_.arg("EXISTS");
  batch_.arg(key_);
  batch_.end_command(PlanLedger::key_tag, key_);
  ledger_.asked(planned_);
  return batch_.size_bytes() < batch_bytes || outlet_.send(batch_.split());
}

namespace {

/// One dry run under way.
class PlanRun {
 public:
  PlanRun(const OpenBackup& backup, const KeyChooser& chooser, const RestoreOptions& options,
          const ServerLink& link, const ReadyTarget& target, IoThread& io, const JobContext& job)
      : options_(options),
        link_(link),
        target_(target),
        io_(io),
        job_(job),
        ledger_(options.on_conflict,
                merges_databases(options.filter, chooser, backup.manifest.databases)),
        writer_(*target.connection, ledger_,
                {.inflight_bytes_max = 4 << 20, .silence_timeout = link.timeout, .limits = {}}),
        stream_({.is_empty = target.keys == 0,
                 .bulk_bytes_max = bulk_bytes_max(options, target),
                 .model = model_of(target.info)},
                unix_now_ms(), ledger_, outlet()) {
    const auto format = rdb_format_of(target.info);
    if (format && needs_conversion(header_of(backup.manifest), *format))
      convert_.emplace(*format, stream_, [this](const auto& loss) { on_loss(loss); });
    filter_.emplace(options.filter, chooser, backup, first_stage(), ledger_, unix_now_ms());
  }

  Result<void> run(const storage::Repository& repository, ProgressMeter& meter,
                   RestoreResult& result) {
    rdb::Parser parser(filter_->entry());
    auto read = filter_->read(repository, parser, job_, [&]() -> Result<void> {
      meter.update(parser.offset(), ledger_.planned());
      return {};
    });
    if (read && !stream_.finish()) read = std::unexpected(cancelled());
    if (broken_) read = std::unexpected(from_net(*broken_, Role::target, link_.display));
    if (!read) return read;
    result.raw_bytes = parser.offset();
    result.mode = options_.mode;
    result.functions = stream_.functions();
    result.losses = std::move(losses_);
    result.loss_count = loss_count_;
    return report(result);
  }

 private:
  /// What is larger goes by commands, where it may.
  static std::uint64_t bulk_bytes_max(const RestoreOptions& options, const ReadyTarget& target) {
    return options.mode == RestoreMode::restore ? target.bulk_bytes_max
                                                : std::numeric_limits<std::uint64_t>::max();
  }

  rdb::Handler& first_stage() {
    if (convert_) return *convert_;
    return stream_;
  }

  void on_loss(const rdb::ConversionLoss& loss) {
    const bool is_lost = loss.losses.has(rdb::Loss::value);
    if (loss.of == rdb::ConversionLoss::Of::key && is_lost) {
      ledger_.refused(loss.type->logical, loss.db, loss.name, describe(loss).message);
    } else if (loss.of == rdb::ConversionLoss::Of::key) {
      ++loss_count_;
      if (losses_.size() < losses_max) losses_.push_back(describe(loss));
    }
  }

  static constexpr std::size_t losses_max = 1000;

  PlanStream::Outlet outlet() {
    return {.send =
                [this](net::CommandBatch batch) {
                  return keep(io_.run(writer_.write(std::move(batch)), job_.stop));
                },
            .settle = [this] { return keep(io_.run(writer_.finish(), job_.stop)); }};
  }

  bool keep(const net::Result<void>& outcome) {
    if (!outcome && !broken_) broken_ = outcome.error();
    return outcome.has_value();
  }

  Result<void> report(RestoreResult& result) {
    const MemoryModel model = model_of(target_.info);
    RestorePlan plan;
    ledger_.report(result, plan);
    filter_->report(result);
    plan.memory_model = model.name();
    plan.table_memory_bytes =
        plan.total.added == 0 ? 0 : model.keyspace(plan.total.added, stream_.expiring());
    auto memory = io_.run(ask_memory(*target_.connection, link_), job_.stop);
    if (!memory) return std::unexpected(from_net(memory.error(), Role::target, link_.display));
    take_memory(*memory, plan);
    add_notes(plan, result);
    result.plan = std::move(plan);
    return {};
  }

  void take_memory(std::string_view info, RestorePlan& plan) const {
    plan.used_memory = info_number(info, options_.flush ? "used_memory_startup" : "used_memory");
    plan.maxmemory = info_number(info, "maxmemory");
    if (!plan.used_memory || !plan.maxmemory) return;
    const std::uint64_t needed =
        *plan.used_memory + plan.total.memory_bytes + plan.table_memory_bytes;
    plan.fits = *plan.maxmemory == 0 || needed <= *plan.maxmemory;
  }

  void add_notes(const RestorePlan& plan, RestoreResult& result) const {
    result.notes.insert(result.notes.begin(), "dry run: nothing was written");
    if (plan.fits && !*plan.fits) {
      result.notes.push_back(
          "it does not fit below maxmemory of the target: keys would be evicted "
          "or refused (OOM), as its maxmemory-policy says");
    }
    if (ledger_.lost_names()) {
      result.notes.push_back(
          "of databases that go to one, more keys than can be compared: which names they share "
          "was not found out for all of them");
    }
  }

  const RestoreOptions& options_;
  const ServerLink& link_;
  const ReadyTarget& target_;
  IoThread& io_;
  const JobContext& job_;
  std::optional<net::Error> broken_;
  std::vector<RdbLoss> losses_;
  std::uint64_t loss_count_ = 0;
  PlanLedger ledger_;
  net::TargetWriter writer_;
  PlanStream stream_;
  std::optional<ConvertStage> convert_;  // to the target's version, where that is needed
  std::optional<RestoreFilter> filter_;
};

}  // namespace

Result<void> plan_restore(const storage::Repository& repository, const OpenBackup& backup,
                          const KeyChooser& chooser, const RestoreOptions& options,
                          const ServerLink& link, const ReadyTarget& target, IoThread& io,
                          ProgressMeter& meter, const JobContext& job, RestoreResult& result) {
  meter.set_phase("comparing");
  meter.set_total(backup.manifest.raw_bytes);
  PlanRun run(backup, chooser, options, link, target, io, job);
  auto done = run.run(repository, meter, result);
  result.seconds = meter.seconds();
  return done;
}

}  // namespace sluice::engine
