#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "engine/backup_stream.h"
#include "engine/feed_form.h"
#include "engine/feed_stream.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/written_digest.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// The RDB of a backup as it is fed: made anew whenever it is sent, always of the same length.
///
/// Memory:   a FeedStream's and 1 MiB while it is sent.
/// Threads:  after measure() any number may send at once.
/// Lifetime: repository and backup outlive it.
class FeedImage {
 public:
  FeedImage(const storage::Repository& repository, const OpenBackup& backup, const FeedForm& form)
      : repository_(repository), backup_(backup), form_(form) {}

  /// Reads the backup to its end, so that nothing can be found wrong with it any more once a target
  /// has dropped its data, and learns how long what is fed will be.
  /// Errors: what keeps the backup from being read; "corrupt"; "cancelled".
  [[nodiscard]] Result<void> measure(ProgressMeter& meter, const JobContext& job);

  /// Precondition of these: measure() has succeeded.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return measured_->bytes(); }
  [[nodiscard]] const FeedStream& facts() const noexcept { return *measured_; }
  [[nodiscard]] const FeedForm& form() const noexcept { return form_; }
  /// The version that is fed.
  [[nodiscard]] rdb::Header header() const noexcept {
    return form_.converted.value_or(*measured_->header());
  }

  /// Hands all of it to `sink`, about 1 MiB at a time, whose errors end it. `written` may be null;
  /// else it takes the digest of what is handed on. Errors: as measure(); "feed_changed" when it
  /// comes out otherwise than it was measured, which it never should.
  [[nodiscard]] Result<void> send(const RdbSink& sink, WrittenDigest* written,
                                  const JobContext& job) const;

 private:
  [[nodiscard]] Result<void> make(FeedStream& stream, const JobContext& job,
                                  const std::function<Result<void>(rdb::Parser&)>& on_bytes) const;

  const storage::Repository& repository_;
  const OpenBackup& backup_;
  FeedForm form_;
  std::unique_ptr<FeedStream> measured_;
};

}  // namespace sluice::engine
