#include "engine/snapshot_source.h"

#include <atomic>
#include <vector>

#include "engine/block_queue.h"
#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "net/replication_client.h"

namespace sluice::engine {
namespace {

constexpr std::size_t block_bytes = 1 << 20;
constexpr std::size_t blocks_max = 16;

/// The receiving end, on the I/O thread: passes bytes to the job's thread.
class QueueSink final : public net::SnapshotSink {
 public:
  explicit QueueSink(BlockQueue& queue) : queue_(queue) {}

  bool on_begin(const net::FullResync& /*granted*/,
                std::optional<std::uint64_t> length_bytes) override {
    length_bytes_ = length_bytes.value_or(0);
    begun_ = true;
    return true;
  }
  bool on_bytes(std::span<const std::byte> bytes) override { return queue_.push(bytes); }

  [[nodiscard]] bool begun() const noexcept { return begun_; }
  /// Zero when the source does not say.
  [[nodiscard]] std::uint64_t length_bytes() const noexcept { return length_bytes_; }

 private:
  BlockQueue& queue_;
  std::atomic<std::uint64_t> length_bytes_ = 0;
  std::atomic<bool> begun_ = false;
};

/// Ends one side of the queue however its user ends. Abort lets a receiver go that waits for room;
/// close lets the job's thread see the end of a transfer.
template <void (BlockQueue::*end)()>
class OnExit {
 public:
  explicit OnExit(BlockQueue& queue) : queue_(queue) {}
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;
  ~OnExit() { (queue_.*end)(); }

 private:
  BlockQueue& queue_;
};

boost::asio::awaitable<net::Result<net::SnapshotStats>> receive(net::ReplicationOptions options,
                                                                QueueSink& sink,
                                                                BlockQueue& queue) {
  const OnExit<&BlockQueue::close> close_on_exit(queue);
  co_return co_await net::receive_snapshot(std::move(options), sink);
}

/// Passes blocks on until the queue ends, and tells how that goes.
class Drain {
 public:
  Drain(BlockQueue& queue, const QueueSink& sink, const SnapshotConsumer& consumer,
        ProgressMeter& meter)
      : queue_(queue), sink_(sink), consumer_(consumer), meter_(meter) {}

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
    if (!sink_.begun()) return;
    const bool spooling = queue_.scratch_bytes() > 0;
    if (receiving_ && spooling == spooling_) return;
    if (!receiving_ && sink_.length_bytes() > 0) meter_.set_total(sink_.length_bytes());
    receiving_ = true;
    spooling_ = spooling;
    meter_.set_phase(spooling ? "receiving, in part to scratch" : "receiving");
  }

  BlockQueue& queue_;
  const QueueSink& sink_;
  const SnapshotConsumer& consumer_;
  ProgressMeter& meter_;
  bool receiving_ = false;
  bool spooling_ = false;
  bool behind_ = false;
  bool told_problem_ = false;
};

net::ReplicationOptions replication_options(const ServerLink& link) {
  net::ReplicationOptions options;
  options.connect = link.connect;
  options.handshake.user = link.user;
  options.handshake.password = link.password;
  options.silence_timeout = link.timeout;
  return options;
}

Result<SnapshotOrigin> read_server(const BackupOptions& options, const SnapshotConsumer& consumer,
                                   ProgressMeter& meter, const JobContext& job) {
  ServerAddress address = options.server;
  address.uri = options.source;
  const auto link = make_link(address);
  if (!link) return std::unexpected(link.error());

  BlockQueue queue(block_bytes, blocks_max, BlockQueue::Overflow::to_scratch);
  QueueSink sink(queue);
  IoThread io;
  meter.set_phase("connecting");
  meter.update(0, 0);
  const auto info = io.run(ask_server_info(io.executor(), *link), job.stop);
  if (!info) return std::unexpected(from_net(info.error(), Role::source, link->display));

  if (info->redis_mode == "cluster") {
    meter.notice(
        "the source is one node of a cluster: this backup holds the keys of its slots only; "
        "back up every primary");
  }
  if (consumer.begin) {
    if (auto begun = consumer.begin(info->redis_mode == "cluster"); !begun)
      return std::unexpected(begun.error());
  }
  meter.set_phase("waiting for the source to save");
  const OnExit<&BlockQueue::abort> abort_on_exit(queue);  // before `io` waits for the receiver
  auto transfer = io.start(receive(replication_options(*link), sink, queue), job.stop);
  const auto drained = Drain(queue, sink, consumer, meter).run();
  const auto received = transfer.wait();
  if (!drained) return std::unexpected(drained.error());
  if (!received) return std::unexpected(from_net(received.error(), Role::source, link->display));
  return SnapshotOrigin{.uri = link->display,
                        .server = info->flavor == net::Flavor::unknown
                                      ? std::string()
                                      : std::string(net::to_text(info->flavor)),
                        .version = info->version,
                        .rdb_version = 0,
                        .replid = received->granted.replid,
                        .offset = received->granted.offset};
}

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

Result<SnapshotOrigin> read_snapshot(const BackupOptions& options, const SnapshotConsumer& consumer,
                                     ProgressMeter& meter, const JobContext& job) {
  return is_server_uri(options.source) ? read_server(options, consumer, meter, job)
                                       : read_file(options, consumer, meter, job);
}

Result<std::string> default_instance(const BackupOptions& options) {
  std::string name;
  if (is_server_uri(options.source)) {
    ServerAddress address = options.server;
    address.uri = options.source;
    const auto link = make_link(address);
    if (!link) return std::unexpected(link.error());
    name = link->connect.host + "-" + std::to_string(link->connect.port);
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
