#include "engine/feed_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <utility>

#include "engine/errors.h"
#include "engine/feed_state.h"
#include "engine/feed_undo.h"
#include "engine/info_text.h"
#include "engine/io_thread.h"
#include "engine/repository_access.h"
#include "engine/target_console.h"
#include "net/replication_server.h"
#include "storage/target_note.h"

namespace sluice::engine {
namespace {

constexpr std::string_view about = "feed";

/// One server, and the note of it.
class FeedExam {
 public:
  FeedExam(const DoctorOptions& options, const ServerLink& link, TargetConsole& console,
           Findings& findings)
      : options_(options), link_(link), console_(console), findings_(findings) {}

  void run() {
    auto repository = open_repository(options_.repository, false, options_.io);
    if (!repository) return look_without_note();
    auto note = storage::read_target_note(*(*repository)->shared_layout(), storage::name::feeds,
                                          target_note_name(link_));
    const auto state = note && *note ? decode_feed_state(**note) : std::nullopt;
    if (!state) return look_without_note();
    auto held = storage::TargetNote::open(*(*repository)->shared_layout(), storage::name::feeds,
                                          target_note_name(link_));
    if (!held && held.error().code == storage::Errc::busy) {
      findings_.ok(std::string(about), "backup " + state->backup + " is being restored into it");
    } else if (options_.repair && held) {
      repair(*state, *held);
    } else {
      look(*state);
    }
  }

 private:
  /// A server that another repository's note is of, or whose note was lost.
  void look_without_note() {
    const auto replication = console_.info("replication");
    if (!replication || info_field(*replication, "role") != "slave" ||
        !net::is_own_replid(info_field(*replication, "master_replid")))
      return;
    const std::string primary = fmt::format("{}:{}", info_field(*replication, "master_host"),
                                            info_field(*replication, "master_port"));
    if (info_field(*replication, "master_link_status") == "up") {
      findings_.ok(std::string(about), "it is fed by a sluice at " + primary);
      return;
    }
    findings_.fail(std::string(about),
                   fmt::format("it is a replica of a sluice at {} that is gone: a restore was cut "
                               "short, or sluice feed has ended; no repository given here knows of "
                               "it",
                               primary),
                   "sluice doctor with --repair and the --repo of the restore; else REPLICAOF NO "
                   "ONE, and CONFIG SET repl-diskless-load as it was");
  }

  void look(const FeedState& state) {
    if (state.stage == FeedState::Stage::incomplete) return tell_keys(state, count_keys());
    const auto replication = console_.info("replication");
    const bool attached = replication && is_attached(state, *replication);
    const bool whole = replication && has_all(state, *replication);
    std::vector<std::string> settings;
    settings.reserve(state.settings.size());
    for (const auto& [name, value] : state.settings)
      settings.push_back(fmt::format("{} was {}", name, value.empty() ? "empty" : value));
    findings_.fail(
        std::string(about),
        fmt::format("a restore of backup {} was cut short: {}; {}{}{}", state.backup,
                    whole ? "all of it is there" : "what it holds is NOT the whole backup",
                    attached
                        ? fmt::format("it is a replica of {}:{}, where nobody feeds it any more",
                                      state.primary_host, state.primary_port)
                        : "it is no replica of ours any more",
                    settings.empty() ? "" : "; settings are changed: ", fmt::join(settings, ", ")),
        fmt::format("sluice doctor {} --repair --repo {}, or run the restore again", link_.display,
                    options_.repository.path));
  }

  void repair(FeedState state, storage::TargetNote& note) {
    const auto replication = console_.info("replication");
    const bool whole = replication && has_all(state, *replication);
    const auto undone = undo_feed(console_, state, {});
    if (!undone) {
      findings_.fail(std::string(about),
                     from_net(undone.error(), Role::target, link_.display).message,
                     "run this again once it answers");
      return;
    }
    state.settings.clear();
    const bool keeps_note = !whole && undone->keys > 0;
    state.stage = FeedState::Stage::incomplete;
    if (auto noted = keeps_note ? note.write(encode(state)) : note.clear(); !noted)
      findings_.warn(std::string(about), to_string(noted.error()), "see to the repository");
    if (keeps_note) return tell_keys(state, undone->keys);
    const std::string done = undone->was_attached
                                 ? "it was detached and its settings are as they were"
                                 : "its settings are as they were";
    findings_.ok(std::string(about),
                 fmt::format("{}; {}", done,
                             whole ? fmt::format("it holds the {} key(s) of backup {} that it has "
                                                 "acknowledged, not proven",
                                                 undone->keys, state.backup)
                                   : "it is empty: run the restore again"));
  }

  [[nodiscard]] std::uint64_t count_keys() {
    const auto keyspace = console_.info("keyspace");
    return keyspace ? info_keys(*keyspace) : 0;
  }

  void tell_keys(const FeedState& state, std::uint64_t keys) {
    findings_.fail(
        std::string(about),
        fmt::format("it holds {} key(s) after a restore of backup {}, of {} key(s), that "
                    "did not end well: do not take them for the whole",
                    keys, state.backup, state.keys),
        "run the restore again with --flush");
  }

  const DoctorOptions& options_;
  const ServerLink& link_;
  TargetConsole& console_;
  Findings& findings_;
};

}  // namespace

void examine_feed(const DoctorOptions& options, const ServerAddress& address, Findings& findings,
                  const JobContext& job) {
  const auto link = make_link(address);
  if (!link) return;  // said already
  IoThread io;
  TargetConsole console(io, *link);
  console.set_stop(job.stop);
  FeedExam(options, *link, console, findings).run();
}

void examine_feed_notes(const storage::Layout& layout, Findings& findings) {
  const auto names = storage::list_target_notes(layout, storage::name::feeds);
  if (!names || names->empty()) return;
  findings.warn("feeds",
                fmt::format("restores under way or cut short, into: {}", fmt::join(*names, ", ")),
                "sluice doctor TARGET --repair --repo " + layout.path() +
                    " for each that is not under way, or run its restore again");
}

}  // namespace sluice::engine
