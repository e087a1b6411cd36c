#include "engine/chosen_place.h"

#include <utility>

#include "engine/chosen_read.h"

namespace sluice::engine {

Result<void> ChosenPlace::read(const PlaceBackup& place, ProgressMeter& meter,
                               const JobContext& job) {
  meter.set_phase("reading " + place.backup.stored.key.id);
  meter.set_total(place.backup.manifest.raw_bytes);
  const auto read =
      read_chosen(*place.repository, place.backup, stream_, parser_, job, [&]() -> Result<void> {
        meter.update(parser_.offset(), parser_.records());
        return {};
      });
  if (!read) return std::unexpected(read.error());
  unread_ = read->unread;
  runs_skipped_ = read->runs_skipped;
  return {};
}

Result<PlaceFacts> ChosenPlace::read(const Place& place, ProgressMeter& meter,
                                     const JobContext& job) {
  if (!is_backup(place)) return read_place(place, parser_, meter, job);
  auto opened = open_place(place);
  if (!opened) return std::unexpected(opened.error());
  if (auto done = read(*opened, meter, job); !done) return std::unexpected(done.error());
  BackupSource source = opened->backup.manifest.source;
  return PlaceFacts{.source = std::move(source), .manifest = std::move(opened->backup.manifest)};
}

}  // namespace sluice::engine
