#include "engine/restore_plan.h"

#include <charconv>
#include <string>
#include <utility>

#include "engine/clock.h"
#include "engine/conversion_loss.h"
#include "engine/errors.h"
#include "engine/info_text.h"
#include "engine/restore_filter.h"
#include "engine/target_format.h"
#include "net/client.h"

namespace sluice::engine {
namespace {

namespace asio = boost::asio;

/// A number of INFO; none when it is not there.
std::optional<std::uint64_t> info_number(std::string_view info, std::string_view name) {
  const std::string_view text = info_field(info, name);
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
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

PlanRun::PlanRun(const PlanOptions& options, const ServerLink& link, const ReadyTarget& target,
                 IoThread& io, const JobContext& job)
    : options_(options),
      link_(link),
      target_(target),
      io_(io),
      job_(job),
      ledger_(options.on_conflict, options.merges),
      writer_(*target.connection, ledger_,
              {.inflight_bytes_max = 4 << 20, .silence_timeout = link.timeout, .limits = {}}),
      stream_({.is_empty = target.keys == 0,
               .limits = target.limits,
               .by_commands = options.mode != RestoreMode::restore,
               .model = model_of(target.info)},
              unix_now_ms(), ledger_, outlet()),
      convert_(rdb_format_of(target.info), stream_, [this](const auto& loss) { on_loss(loss); }) {}

Result<void> PlanRun::finish(Result<void> read, RestoreResult& result) {
  if (!read) {
    if (const auto converting = convert_.error()) read = std::unexpected(*converting);
  }
  if (read && !stream_.finish()) read = std::unexpected(cancelled());
  if (broken_) read = std::unexpected(from_net(*broken_, Role::target, link_.display));
  if (!read) return read;
  result.mode = options_.mode;
  result.functions = stream_.functions();
  result.losses = std::move(losses_);
  result.loss_count = loss_count_;
  return report(result);
}

void PlanRun::on_loss(const rdb::ConversionLoss& loss) {
  const bool is_lost = loss.losses.has(rdb::Loss::value);
  if (loss.of == rdb::ConversionLoss::Of::key && is_lost) {
    ledger_.refused(loss.type->logical, loss.db, loss.name, describe(loss).message);
  } else if (loss.of == rdb::ConversionLoss::Of::key) {
    ++loss_count_;
    if (losses_.size() < losses_max) losses_.push_back(describe(loss));
  }
}

PlanStream::Outlet PlanRun::outlet() {
  return {.send =
              [this](net::CommandBatch batch) {
                return keep(io_.run(writer_.write(std::move(batch)), job_.stop));
              },
          .settle = [this] { return keep(io_.run(writer_.finish(), job_.stop)); }};
}

bool PlanRun::keep(const net::Result<void>& outcome) {
  if (!outcome && !broken_) broken_ = outcome.error();
  return outcome.has_value();
}

Result<void> PlanRun::report(RestoreResult& result) {
  const MemoryModel model = model_of(target_.info);
  RestorePlan plan;
  ledger_.report(result, plan);
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

void PlanRun::take_memory(std::string_view info, RestorePlan& plan) const {
  plan.used_memory = info_number(info, options_.flush ? "used_memory_startup" : "used_memory");
  plan.maxmemory = info_number(info, "maxmemory");
  if (!plan.used_memory || !plan.maxmemory) return;
  const std::uint64_t needed =
      *plan.used_memory + plan.total.memory_bytes + plan.table_memory_bytes;
  plan.fits = *plan.maxmemory == 0 || needed <= *plan.maxmemory;
}

void PlanRun::add_notes(const RestorePlan& plan, RestoreResult& result) const {
  result.notes.insert(result.notes.begin(), "dry run: nothing was written");
  if (plan.fits && !*plan.fits) {
    result.notes.emplace_back(
        "it does not fit below maxmemory of the target: keys would be evicted "
        "or refused (OOM), as its maxmemory-policy says");
  }
  if (ledger_.lost_names()) {
    result.notes.emplace_back(
        "of databases that go to one, more keys than can be compared: which names they share "
        "was not found out for all of them");
  }
}

Result<void> plan_restore(const storage::Repository& repository, const OpenBackup& backup,
                          const KeyChooser& chooser, const RestoreOptions& options,
                          const ServerLink& link, const ReadyTarget& target, IoThread& io,
                          ProgressMeter& meter, const JobContext& job, RestoreResult& result) {
  meter.set_phase("comparing");
  meter.set_total(backup.manifest.raw_bytes);
  PlanRun run({.on_conflict = options.on_conflict,
               .mode = options.mode,
               .flush = options.flush,
               .merges = merges_databases(options.filter, chooser, backup.manifest.databases)},
              link, target, io, job);
  RestoreFilter filter(options.filter, chooser, backup, run.entry(), run.tally(), unix_now_ms());
  rdb::Parser parser(filter.entry());
  auto read = filter.read(repository, parser, job, [&]() -> Result<void> {
    meter.update(parser.offset(), run.planned());
    return {};
  });
  result.raw_bytes = parser.offset();
  auto done = run.finish(std::move(read), result);
  if (done) filter.report(result);
  result.seconds = meter.seconds();
  return done;
}

}  // namespace sluice::engine
