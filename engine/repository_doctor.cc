#include "engine/repository_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/disk_doctor.h"
#include "engine/errors.h"
#include "engine/feed_doctor.h"
#include "engine/repository_access.h"
#include "engine/repository_key.h"
#include "engine/restore_doctor.h"
#include "sluice/catalog.h"
#include "storage/file_system.h"
#include "storage/inspection.h"
#include "storage/key_ring.h"
#include "storage/layout.h"

namespace sluice::engine {
namespace {

using storage::Sample;

constexpr std::uint64_t bytes_needed_min = 64U << 20;  // a pack
constexpr std::uint64_t files_needed_min = 64;
constexpr std::int64_t clock_slack_ms = 60'000;
constexpr std::int64_t year_2020_ms = 1'577'836'800'000;

/// "3: a, b, c" or "12, the first: a, b, c".
std::string text_of(const Sample& sample) {
  return fmt::format("{}{}: {}", sample.count,
                     sample.count > sample.names.size() ? ", the first" : "",
                     fmt::join(sample.names, ", "));
}

void examine_file_system(const storage::FileSystem& system, Findings& findings) {
  const std::string& type = system.type;
  if (system.read_only) {
    findings.fail("file_system", type + ", mounted read-only", "mount it writable");
    return;
  }
  switch (system.kind) {
    case storage::FileSystemKind::local: findings.ok("file_system", type); return;
    case storage::FileSystemKind::memory:
      findings.warn("file_system", type + ": in memory, gone when the machine restarts",
                    "keep backups on a disk");
      return;
    case storage::FileSystemKind::overlay:
      findings.warn("file_system", type + ": the layer of a container, gone with it",
                    "mount a volume and keep backups there");
      return;
    case storage::FileSystemKind::network:
      findings.warn("file_system",
                    type +
                        ": whether locks keep two writers apart and a sync reaches the disk is "
                        "up to the other side",
                    "let one host write; NFS: version 4, exported with sync");
      return;
  }
}

/// `newest`: what the newest backup takes; 0 when there is none.
void examine_room(const storage::FileSystem& system, std::uint64_t newest, std::string about_newest,
                  Findings& findings) {
  const std::string free =
      fmt::format("{} of {} free", bytes_text(system.free_bytes), bytes_text(system.total_bytes));
  constexpr auto remedy = "make room, or keep fewer backups";
  if (system.free_bytes < bytes_needed_min)
    findings.fail("space", free, remedy);
  else if (system.free_bytes < newest)
    findings.warn("space", fmt::format("{}; {}", free, about_newest), remedy);
  else
    findings.ok("space", newest == 0 ? free : fmt::format("{}; {}", free, about_newest));
  if (system.total_files > 0 && system.free_files < files_needed_min) {
    findings.fail("inodes", fmt::format("{} of {} free", system.free_files, system.total_files),
                  "remove files there, or make the file system anew with more inodes");
  }
}

void examine_mark(const storage::Layout& layout, const storage::Inspection& seen,
                  Findings& findings) {
  const storage::RepositoryMark& mark = layout.mark();
  findings.ok("repository",
              fmt::format("{}, format {}.{}", mark.repository_id, mark.major, mark.minor));
  const std::string& path = layout.path();
  if (seen.mark_damage) {
    findings.fail("format", to_string(*seen.mark_damage),
                  fmt::format("cp -p {}/FORMAT.copy {}/FORMAT", path, path));
  } else if (seen.mark_copy_damage) {
    findings.fail("format", to_string(*seen.mark_copy_damage),
                  fmt::format("cp -p {}/FORMAT {}/FORMAT.copy", path, path));
  } else if (const auto writable = layout.allows(storage::Operation::write); !writable) {
    findings.fail("format", to_string(writable.error()), "take a newer sluice");
  } else {
    findings.ok("format", "FORMAT is whole");
  }
}

/// Whether it is encrypted, and what opens it.
void examine_encryption(const storage::Layout& layout, Findings& findings) {
  if (!layout.mark().encrypted) {
    findings.ok("encryption", "not encrypted");
    return;
  }
  const auto slots = storage::list_key_slots(layout);
  if (!slots) {
    findings.fail("encryption", to_string(slots.error()), "see that its directories can be read");
    return;
  }
  std::vector<std::string> whole;
  for (const storage::ListedKeySlot& listed : *slots) {
    const storage::KeySlot& slot = listed.slot;
    if (listed.damage) {
      findings.warn(
          "keys", to_string(*listed.damage),
          "add a key while another one opens the repository: sluice key add; then: sluice "
          "key remove " +
              slot.id);
      continue;
    }
    const std::string label = slot.label.empty() ? "" : fmt::format(" \"{}\"", slot.label);
    whole.push_back(fmt::format("{} ({}{}, {})", slot.id, to_string(slot.kind), label,
                                format_time(static_cast<std::int64_t>(slot.created_at_ms))));
  }
  findings.ok("encryption",
              fmt::format("{}; {} key {}: {}", storage::format::cipher_name, whole.size(),
                          whole.size() == 1 ? "slot" : "slots", fmt::join(whole, ", ")));
  if (layout.is_locked())
    findings.ok("key", "none was given, so what is encrypted was not looked at");
}

void examine_modes(const storage::Layout& layout, const storage::Inspection& seen,
                   Findings& findings) {
  const std::string& path = layout.path();
  if (seen.unwritable.count > 0) {
    findings.fail("access", "not writable for this user: " + text_of(seen.unwritable),
                  "run as the owner, or: chown -R \"$USER\" " + path);
  }
  if (seen.foreign.count > 0) {
    findings.warn("owner", "not owned by this user: " + text_of(seen.foreign),
                  "run as the owner, or: chown -R \"$USER\" " + path);
  }
  if (seen.open_to_write.count > 0) {
    findings.fail("modes", "others may write to " + text_of(seen.open_to_write),
                  "chmod -R go-rwx " + path + ", then: sluice verify --all --repo " + path);
  }
  if (seen.open_to_read.count > 0) {
    findings.warn("modes", "others may read " + text_of(seen.open_to_read),
                  "chmod -R go-rwx " + path);
  }
  if (seen.open_to_write.count + seen.open_to_read.count + seen.foreign.count +
          seen.unwritable.count ==
      0)
    findings.ok("modes", "owned by this user, closed to others");
}

void examine_writers(const storage::Layout& layout, const storage::Inspection& seen,
                     Findings& findings) {
  if (seen.live_writers.count > 0)
    findings.ok("writers", "being written: " + text_of(seen.live_writers));
  if (seen.dead_writers.count > 0) {
    findings.warn("writers", "left unfinished: " + text_of(seen.dead_writers),
                  "nothing to do: the next backup into this repository clears them away");
  }
  if (seen.live_writers.count == 0 && seen.temporary.count > 0 && seen.dead_writers.count == 0) {
    findings.warn("writers", "scratch files of writers that are gone: " + text_of(seen.temporary),
                  "nothing to do: the next backup into this repository clears them away");
  }
  if (seen.stray_packs.count > 0) {
    findings.warn("stray_packs",
                  fmt::format("packs of backups that have no directory ({}): {}",
                              bytes_text(seen.stray_bytes), text_of(seen.stray_packs)),
                  fmt::format("see whether a directory of {}/instances was moved away; if not, "
                              "remove them",
                              layout.path()));
  }
}

/// Of the backups that are listed. Gives the newest that is whole.
std::optional<storage::BackupInfo> examine_backups(const storage::Repository& repository,
                                                   Findings& findings) {
  auto listed = repository.list();
  if (!listed) {
    findings.fail("backups", to_string(listed.error()), "see that its directories can be read");
    return std::nullopt;
  }
  Sample damaged;
  std::string first;
  std::optional<storage::BackupInfo> newest;
  for (storage::BackupInfo& info : *listed) {
    if (info.damage) {
      damaged.add(info.key.id);
      if (first.empty()) first = to_string(*info.damage);
    } else {
      newest = std::move(info);
    }
  }
  if (damaged.count > 0) {
    findings.fail(
        "backups", fmt::format("damaged: {} ({})", text_of(damaged), first),
        fmt::format("sluice verify --repo {} {}", repository.path(), damaged.names.front()));
  } else {
    findings.ok(
        "backups",
        fmt::format("{} listed; whether their data are whole tells sluice verify", listed->size()));
  }
  return newest;
}

void examine_clock(const std::optional<storage::BackupInfo>& newest, Findings& findings) {
  const std::int64_t now = unix_now_ms();
  constexpr auto remedy = "set the clock (chronyc makestep, timedatectl set-ntp true)";
  if (now < year_2020_ms) {
    findings.fail("clock", "it is said to be " + format_time(now), remedy);
  } else if (newest && std::cmp_greater(newest->started_at_ms, now + clock_slack_ms)) {
    findings.warn(
        "clock",
        fmt::format("it is said to be {}, but the newest backup is of {}", format_time(now),
                    format_time(static_cast<std::int64_t>(newest->started_at_ms))),
        remedy);
  } else {
    findings.ok("clock", format_time(now));
  }
}

/// What to do about a directory that is no repository.
void tell_no_repository(const storage::Directory& root, const storage::Error& error,
                        Findings& findings) {
  const auto entries = storage::list_directory(root);
  const bool empty = entries && std::ranges::all_of(*entries, [](const std::string& entry) {
                       return entry == "lost+found";
                     });
  if (error.code == storage::Errc::not_a_repository && empty) {
    findings.warn(
        "repository", root.path + " is empty",
        "the first backup makes a repository of it: sluice backup SOURCE --repo " + root.path);
    return;
  }
  std::string_view remedy =
      "see what happened to the disk; another copy of the repository may be whole";
  if (error.code == storage::Errc::not_a_repository)
    remedy = "name the repository, or an empty directory";
  if (error.code == storage::Errc::unsupported_format)
    remedy = "take the version of sluice that the repository is of";
  if (error.code == storage::Errc::wrong_key) remedy = "give the right key, or none";
  findings.fail("repository", to_string(error), std::string(remedy));
}

void tell_no_directory(const std::string& path, const storage::Error& error, Findings& findings) {
  std::string_view remedy = "see why it cannot be opened";
  if (error.code == std::errc::no_such_file_or_directory)
    remedy = "make the directory, or name the right one; the first backup makes a repository of it";
  if (error.code == std::errc::not_a_directory) remedy = "name the directory of a repository";
  if (error.code == std::errc::permission_denied) remedy = "run as the user who owns it";
  findings.fail("repository", fmt::format("{}: {}", path, error.code.message()),
                std::string(remedy));
}

/// Everything about the repository itself. Gives the size of its newest backup.
std::optional<storage::BackupInfo> examine_contents(const DoctorOptions& options,
                                                    const storage::Layout& layout,
                                                    Findings& findings) {
  const auto seen = storage::inspect(layout);
  if (!seen) {
    findings.fail("repository", to_string(seen.error()), "see that its directories can be read");
    return std::nullopt;
  }
  examine_mark(layout, *seen, findings);
  examine_encryption(layout, findings);
  examine_modes(layout, *seen, findings);
  examine_writers(layout, *seen, findings);
  const auto repository = open_repository({options.place, options.repository.key}, false,
                                          options.io, WithoutKey::allowed);
  if (!repository) {
    findings.fail("repository", repository.error().message, "take a newer sluice");
    return std::nullopt;
  }
  return examine_backups(**repository, findings);
}

}  // namespace

Result<std::optional<DiskBench>> examine_repository(const DoctorOptions& options,
                                                    Findings& findings, ProgressMeter& meter,
                                                    const JobContext& job) {
  meter.set_phase("looking at " + options.place);
  meter.update(0, 0);
  const auto root = storage::open_directory(options.place);
  if (!root) {
    tell_no_directory(options.place, root.error(), findings);
    return std::nullopt;
  }
  DiskPlace place{.root = &*root, .scratch = &*root};
  std::optional<storage::BackupInfo> newest;
  std::optional<storage::Directory> tmp;
  auto key = key_source(options.repository.key);
  if (!key) return std::unexpected(key.error());
  const auto layout =
      storage::Layout::open(options.place, {.key = *std::move(key), .keyless = true});
  if (!layout) {
    tell_no_repository(*root, layout.error(), findings);
  } else {
    newest = examine_contents(options, *layout, findings);
    examine_feed_notes(*layout, findings);
    examine_restore_notes(*layout, findings);
    if (auto opened = layout->directory(storage::name::tmp)) {
      tmp = *std::move(opened);
      place.scratch = &*tmp;
      place.is_repository = true;
    }
  }
  examine_clock(newest, findings);
  const auto system = storage::file_system_of(*root);
  if (!system) {
    findings.fail("file_system", to_string(system.error()), "see what happened to the disk");
    return std::nullopt;
  }
  place.free_bytes = system->free_bytes;
  examine_file_system(*system, findings);
  examine_room(*system, newest ? newest->pack_file_bytes : 0,
               newest ? "the newest backup takes " + bytes_text(newest->pack_file_bytes) : "",
               findings);
  examine_io(place, options.io, findings);
  if (options.bench) return measure_disk(place, options.io, findings, meter, job);
  tell_last_measurement(place, findings);
  return std::nullopt;
}

}  // namespace sluice::engine
