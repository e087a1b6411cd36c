#include "engine/restore_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string>

#include "engine/info_text.h"
#include "engine/io_thread.h"
#include "engine/repository_access.h"
#include "engine/restore_state.h"
#include "engine/server_link.h"
#include "engine/target_console.h"
#include "storage/target_note.h"

namespace sluice::engine {
namespace {

constexpr std::string_view about = "restore";

void tell(const RestoreState& state, std::optional<std::uint64_t> keys, const ServerLink& link,
          const std::string& repository, Findings& findings) {
  const std::string holds =
      keys ? fmt::format("it holds {} key(s)", *keys) : std::string("what it holds is not known");
  const std::string forget =
      keys == 0 ? fmt::format("; or sluice doctor {} --repair, to forget it", link.display) : "";
  findings.fail(std::string(about),
                fmt::format("a restore of backup {} into it was cut short, after at least {} of {} "
                            "key(s): {}, NOT the whole backup",
                            state.backup, state.records, state.keys, holds),
                fmt::format("sluice restore {} {} --resume --repo {}, and the options that it had; "
                            "or --flush in the place of --resume, to begin anew{}",
                            state.backup, link.display, repository, forget));
}

void examine_note(const DoctorOptions& options, const ServerLink& link, const RestoreState& state,
                  const storage::Layout& layout, const JobContext& job, Findings& findings) {
  auto held = storage::TargetNote::open(layout, storage::name::restores, target_note_name(link));
  if (!held && held.error().code == storage::Errc::busy) {
    findings.ok(std::string(about), "backup " + state.backup + " is being restored into it");
    return;
  }
  IoThread io;
  TargetConsole console(io, link);
  console.set_stop(job.stop);
  const auto keyspace = console.info("keyspace");
  const auto keys = keyspace ? std::optional(info_keys(*keyspace)) : std::nullopt;
  if (!options.repair || keys != 0 || !held)
    return tell(state, keys, link, options.repository.path, findings);
  if (auto cleared = held->clear(); !cleared) {
    findings.warn(std::string(about), to_string(cleared.error()), "see to the repository");
    return;
  }
  findings.ok(std::string(about), "it is empty; that a restore of backup " + state.backup +
                                      " was cut short is forgotten");
}

}  // namespace

void examine_restore(const DoctorOptions& options, const ServerAddress& address, Findings& findings,
                     const JobContext& job) {
  const auto link = make_link(address);
  if (!link) return;  // said already
  const auto repository = open_repository(options.repository, false, options.io);
  if (!repository && repository.error().code == "key_needed")
    findings.warn(std::string(about), repository.error().message,
                  "give the key, for whether a restore into it was cut short to be known");
  if (!repository) return;
  const storage::Layout& layout = *(*repository)->shared_layout();
  const auto text =
      storage::read_target_note(layout, storage::name::restores, target_note_name(*link));
  if (!text) {
    findings.warn(std::string(about), to_string(text.error()), "see to the repository");
    return;
  }
  if (!*text) return;
  const auto state = decode_restore_state(**text);
  if (!state) {
    findings.fail(std::string(about),
                  "a restore into it was cut short, and the note of that cannot be read",
                  "run the restore again with --flush");
    return;
  }
  examine_note(options, *link, *state, layout, job, findings);
}

void examine_restore_notes(const storage::Layout& layout, Findings& findings) {
  const auto names = storage::list_target_notes(layout, storage::name::restores);
  if (!names || names->empty()) return;
  findings.warn("restores",
                fmt::format("restores under way or cut short, into: {}", fmt::join(*names, ", ")),
                "sluice doctor TARGET --repo " + layout.path() +
                    " tells for each that is not under way how to go on");
}

}  // namespace sluice::engine
