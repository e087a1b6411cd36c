#include "engine/restore_note.h"

#include <fmt/format.h>

#include <utility>

#include "engine/errors.h"
#include "storage/layout.h"

namespace sluice::engine {

Result<RestoreNote> RestoreNote::open(const storage::Repository& repository, const ServerLink& link,
                                      ProgressMeter& meter) {
  RestoreNote note(link, meter);
  auto held = storage::TargetNote::open(*repository.shared_layout(), storage::name::restores,
                                        target_note_name(link));
  if (!held && held.error().code == storage::Errc::busy) {
    return std::unexpected(
        Error{.stage = Stage::engine,
              .code = "busy",
              .message = "another restore into target " + link.display + " is under way"});
  }
  if (!held) {
    note.give_up(to_string(held.error()));
    return note;
  }
  const auto text = held->read();
  if (text && *text) note.left_ = decode_restore_state(**text);
  const bool is_bad = !text || (*text && !note.left_);
  note.note_.emplace(*std::move(held));
  if (is_bad) meter.notice("the note of an interrupted restore into this target cannot be read");
  return note;
}

Result<void> RestoreNote::check(const OpenBackup& backup, const RestoreOptions& options) const {
  const auto refusal = [](std::string code, std::string message) {
    return std::unexpected(
        Error{.stage = Stage::usage, .code = std::move(code), .message = std::move(message)});
  };
  if (!left_) {
    return refusal("nothing_to_resume",
                   fmt::format("the repository knows of no interrupted restore into {}: run this "
                               "without --resume",
                               link_.display));
  }
  if (left_->backup != backup.stored.key.id) {
    return refusal("resume_differs",
                   fmt::format("the interrupted restore into {} is of backup {}, not of {}",
                               link_.display, left_->backup, backup.stored.key.id));
  }
  if (left_->options != options_text(options)) {
    return refusal("resume_differs",
                   fmt::format("the interrupted restore into {} was begun with other options: {}",
                               link_.display, left_->options));
  }
  if (options.on_conflict == OnConflict::skip && options.mode == RestoreMode::commands) {
    return refusal(
        "bad_option",
        "with --on-conflict skip and --mode commands a key that is there may be a part "
        "that the interrupted restore left: use --on-conflict replace, without --resume");
  }
  return {};
}

void RestoreNote::write(const RestoreState& state) {
  if (!note_) return;
  if (auto written = note_->write(encode(state)); !written) {
    static_cast<void>(note_->clear());
    give_up(to_string(written.error()));
  }
}

void RestoreNote::clear() {
  if (!note_) return;
  if (auto cleared = note_->clear(); !cleared) {
    meter_.notice("the note of this restore stays in the repository though it came to its end: " +
                  to_string(cleared.error()));
  }
}

void RestoreNote::give_up(const std::string& why) {
  note_.reset();
  meter_.notice(
      "the repository keeps no note of how far this restore is, so that it could not be "
      "resumed: " +
      why);
}

}  // namespace sluice::engine
