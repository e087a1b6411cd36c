#include "engine/snapshot_source.h"

#include <vector>

#include "engine/block_queue.h"
#include "engine/cluster_view.h"
#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "engine/snapshot_reception.h"

namespace sluice::engine {
namespace {

constexpr std::size_t blocks_max = 16;

/// Lets a receiver go that waits for room, however the job's thread ends.
class AbortOnExit {
 public:
  explicit AbortOnExit(BlockQueue& queue) : queue_(queue) {}
  AbortOnExit(const AbortOnExit&) = delete;
  AbortOnExit& operator=(const AbortOnExit&) = delete;
  ~AbortOnExit() { queue_.abort(); }

 private:
  BlockQueue& queue_;
};

/// Passes blocks on until the queue ends, and tells how that goes.
class Drain {
 public:
  Drain(SnapshotReception& reception, const SnapshotConsumer& consumer, ProgressMeter& meter)
      : queue_(reception.queue()), reception_(reception), consumer_(consumer), meter_(meter) {}

  /// On an error of the consumer the transfer is aborted.
  Result<void> run() {
    std::vector<std::byte> block;
    while (true) {
      const auto popped = queue_.pop(block, std::chrono::milliseconds(100));
      if (popped == BlockQueue::Popped::end) break;
      tell();
      if (popped == BlockQueue::Popped::nothing_yet) {
        consumer_.idle();
        continue;
      }
      auto consumed = consumer_.consume(block);
      queue_.recycle(std::move(block));
      if (!consumed) {
        queue_.abort();
        return consumed;
      }
    }
    if (const auto error = queue_.error()) return std::unexpected(*error);
    return {};
  }

 private:
  void tell() {
    const bool behind = queue_.is_behind();
    if (consumer_.pressure && behind != behind_) consumer_.pressure(behind);
    behind_ = behind;
    if (!told_problem_ && queue_.overflow_problem()) {
      told_problem_ = true;
      meter_.notice("the source is kept waiting, as what it sends finds no room: " +
                    queue_.overflow_problem()->message);
    }
    if (!reception_.begun()) return;
    const bool spooling = queue_.scratch_bytes() > 0;
    if (receiving_ && spooling == spooling_) return;
    if (!receiving_ && reception_.length_bytes() > 0) meter_.set_total(reception_.length_bytes());
    receiving_ = true;
    spooling_ = spooling;
    meter_.set_phase(spooling ? "receiving, in part to scratch" : "receiving");
  }

  BlockQueue& queue_;
  const SnapshotReception& reception_;
  const SnapshotConsumer& consumer_;
  ProgressMeter& meter_;
  bool receiving_ = false;
  bool spooling_ = false;
  bool behind_ = false;
  bool told_problem_ = false;
};

Result<SnapshotOrigin> read_file(const BackupOptions& options, const SnapshotConsumer& consumer,
                                 ProgressMeter& meter, const JobContext& job) {
  auto input = FileInput::open(options.source);
  if (!input) return std::unexpected(input.error());
  if (consumer.begin) {
    if (auto begun = consumer.begin(false); !begun) return std::unexpected(begun.error());
  }
  meter.set_phase("reading");
  meter.set_total(input->size());
  while (true) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    const auto bytes = input->next();
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->empty()) break;
    auto consumed = consumer.consume(*bytes);
    if (!consumed) return std::unexpected(consumed.error());
  }
  SnapshotOrigin origin;
  origin.uri = options.source == "-" ? "file:-" : "file:" + input->name().substr(5);
  return origin;
}

}  // namespace

Result<SnapshotOrigin> read_snapshot(const ServerLink& link, ReadFrom from,
                                     const SnapshotConsumer& consumer, ProgressMeter& meter,
                                     const JobContext& job) {
  SnapshotReception reception(blocks_max);
  IoThread io;
  meter.set_phase("connecting");
  meter.update(0, 0);
  auto found = find_source(io, link, from, meter, job);
  if (!found) return std::unexpected(found.error());
  const net::ServerInfo* const info = &found->info;

  if (info->redis_mode == "cluster") {
    meter.notice(
        "the source is one node of a cluster: this backup holds the keys of its slots only; "
        "--cluster backs up all of it");
  }
  if (consumer.begin) {
    if (auto begun = consumer.begin(info->redis_mode == "cluster"); !begun)
      return std::unexpected(begun.error());
  }
  meter.set_phase("waiting for the source to save");
  const AbortOnExit abort_on_exit(reception.queue());  // before `io` waits for the receiver
  reception.start(io, found->link, 0, job.stop);
  const auto drained = Drain(reception, consumer, meter).run();
  const auto received = reception.wait();
  if (!drained) return std::unexpected(drained.error());
  if (!received) return std::unexpected(from_net(received.error(), Role::source, link.display));
  return SnapshotOrigin{.uri = link.display,
                        .server = server_name(*info),
                        .version = info->version,
                        .rdb_version = 0,
                        .replid = received->granted.replid,
                        .offset = received->granted.offset};
}

Result<SnapshotOrigin> read_snapshot(const BackupOptions& options, const SnapshotConsumer& consumer,
                                     ProgressMeter& meter, const JobContext& job) {
  if (!is_server_uri(options.source)) return read_file(options, consumer, meter, job);
  ServerAddress address = options.server;
  address.uri = options.source;
  const auto link = make_link(address);
  if (!link) return std::unexpected(link.error());
  return read_snapshot(*link, options.from, consumer, meter, job);
}

Result<std::string> default_instance(const BackupOptions& options) {
  std::string name;
  if (is_server_uri(options.source)) {
    ServerAddress address = options.server;
    address.uri = options.source;
    const auto link = make_link(address);
    if (!link) return std::unexpected(link.error());
    name = link->is_sentinel() ? link->search.master
                               : link->connect.host + "-" + std::to_string(link->connect.port);
  } else {
    name = FileInput::stem(options.source);
  }
  constexpr std::size_t name_bytes_max = 128;
  name.resize(std::min(name.size(), name_bytes_max));
  for (char& letter : name) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') || letter == '.' || letter == '-';
    if (!plain) letter = '_';
  }
  if (name.empty() || name[0] == '.' || name[0] == '-' || name[0] == '_') name.insert(0, "i");
  return name;
}

}  // namespace sluice::engine
