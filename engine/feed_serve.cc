#include "engine/feed_serve.h"

#include <utility>

#include "engine/errors.h"
#include "net/handshake.h"

namespace sluice::engine {

Error cut_short(const net::ReplicaSession& session, const net::Error& error) {
  if (error.code == net::Errc::cancelled) return cancelled();
  return {.stage = Stage::net,
          .code = "feed_cut_short",
          .message = "the replica at " + session.peer().address + " ended the connection after " +
                     std::to_string(session.snapshot_bytes()) +
                     " bytes: " + (error.detail.empty() ? error.code.message() : error.detail) +
                     "; its log says why"};
}

Result<void> send_snapshot(IoThread& io, net::ReplicaSession& session, const std::string& replid,
                           const FeedImage& image, WrittenDigest* written,
                           const std::function<void(std::uint64_t bytes)>& on_block,
                           const JobContext& job) {
  net::FullResync granted{.replid = replid, .offset = feed_offset};
  auto begun = io.run(session.begin_snapshot(std::move(granted), image.bytes()), job.stop);
  if (!begun) return std::unexpected(cut_short(session, begun.error()));
  const RdbSink sink = [&](std::span<const std::byte> block) -> Result<void> {
    auto sent = io.run(session.send(block), job.stop);
    if (!sent) return std::unexpected(cut_short(session, sent.error()));
    if (on_block) on_block(session.snapshot_bytes());
    return {};
  };
  return image.send(sink, written, job);
}

}  // namespace sluice::engine
