#include "net/cluster_writer.h"

#include <algorithm>
#include <utility>

#include "net/key_slot.h"

namespace sluice::net {

namespace asio = boost::asio;

ClusterWriter::ClusterWriter(asio::any_io_executor executor, const Topology& topology,
                             ReplyHandler& handler, ClusterWriterOptions options)
    : executor_(std::move(executor)),
      handler_(handler),
      options_(std::move(options)),
      slot_nodes_(cluster_slots, no_node) {
  take_map(topology);
}

asio::awaitable<Result<void>> ClusterWriter::write(CommandBatch batch) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto taken = co_await take(batch);
  if (!taken) co_return taken;
  co_return co_await drive(options_.inflight_bytes_max);
}

asio::awaitable<Result<void>> ClusterWriter::finish() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await drive(0);
}

asio::awaitable<Result<void>> ClusterWriter::take(const CommandBatch& batch) {
  std::string_view bytes(reinterpret_cast<const char*>(batch.bytes().data()), batch.size_bytes());
  std::size_t next = 0;  // entry
  while (!bytes.empty() && !failure_) {
    const std::size_t taken = borders_.take(std::as_bytes(std::span(bytes)));
    keep_piece(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (!borders_.at_border() || failure_) break;
    HeldCommand command = command_of(batch, batch.entries()[next++]);
    if (!goes_alone(command)) {
      hold(std::move(command));
      continue;
    }
    auto sending = send_alone(std::move(command));
    co_await std::move(sending);  // the outcome is in failure_
  }
  if (!failure_) co_return Result<void>();
  auto failure = failed();
  for (; next < batch.command_count(); ++next) {
    const CommandBatch::Entry& entry = batch.entries()[next];
    handler_.on_unanswered(entry.tag, batch.key(entry));
  }
  co_return failure;
}

/// The next bytes of the command that is being given.
void ClusterWriter::keep_piece(std::string_view bytes) {
  CommandSpool& spool = *options_.spool;
  if (spool.size() == 0 && piece_.size() + bytes.size() <= options_.command_bytes_max) {
    piece_ += bytes;
    return;
  }
  for (const std::string_view part : {std::string_view(piece_), bytes}) {
    if (part.empty() || failure_) continue;
    if (spool.size() == 0) spooled_repeat_ = repeat_of(part);
    if (auto kept = spool.append(std::as_bytes(std::span(part))); !kept)
      fail(std::move(kept.error()));
  }
  piece_.clear();
}

/// The command that is complete now.
HeldCommand ClusterWriter::command_of(const CommandBatch& batch, const CommandBatch::Entry& entry) {
  const auto key = batch.key(entry);
  HeldCommand command;
  command.tag = entry.tag;
  command.key.assign(reinterpret_cast<const char*>(key.data()), key.size());
  command.slot = key_slot(key);
  command.is_spooled = options_.spool->size() > 0;
  command.bytes = std::exchange(piece_, {});
  command.repeat = command.is_spooled ? spooled_repeat_ : repeat_of(command.bytes);
  return command;
}

bool ClusterWriter::goes_alone(const HeldCommand& command) const {
  return command.is_spooled || options_.route(command.tag) != Route::by_key;
}

asio::awaitable<Result<void>> ClusterWriter::send_alone(HeldCommand command) {
  return command.is_spooled ? send_spooled(std::move(command))
                            : to_every_primary(std::move(command));
}

void ClusterWriter::hold(HeldCommand command) { waiting_.push_back(held_.add(std::move(command))); }

// Nothing else is on its way meanwhile, so that the one spool will do.
asio::awaitable<Result<void>> ClusterWriter::send_spooled(HeldCommand command) {
  auto settled = co_await drive(0);
  if (settled) {
    hold(std::move(command));
    settled = co_await drive(0);
  } else {
    handler_.on_unanswered(command.tag, std::as_bytes(std::span(command.key)));
  }
  options_.spool->clear();
  co_return settled;
}

// A part goes where the first slot of a primary is, and so finds its successor too.
asio::awaitable<Result<void>> ClusterWriter::to_every_primary(HeldCommand command) {
  auto settled = co_await drive(0);
  std::vector<std::size_t> seen;
  for (std::uint16_t slot = 0; settled && slot < cluster_slots; ++slot) {
    const std::size_t node = slot_nodes_[slot];
    if (node == no_node || std::ranges::find(seen, node) != seen.end()) continue;
    seen.push_back(node);
    command.slot = slot;
    command.is_part = true;
    hold(command);
  }
  if (settled && !seen.empty()) {
    held_[waiting_.back()].is_part = false;
    settled = co_await drive(0);
  } else {
    handler_.on_unanswered(command.tag, std::as_bytes(std::span(command.key)));
  }
  co_return settled;
}

}  // namespace sluice::net
