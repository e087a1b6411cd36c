#include "net/target_writer.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <future>

#include "fake_server.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::string text(std::span<const std::byte> data) {
  return std::string(reinterpret_cast<const char*>(data.data()), data.size());
}

class Recorder final : public ReplyHandler {
 public:
  void on_reply(std::uint64_t tag, std::span<const std::byte> key, const Reply& reply) override {
    log += std::to_string(tag) + " " + text(key) + " " + reply.text + ";";
    ++answered;
    in_order = in_order && tag == next_tag++;
  }
  void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) override {
    log += std::to_string(tag) + " " + text(key) + " ?;";
    ++unanswered;
    in_order = in_order && tag == next_tag++;
  }

  std::string log;
  std::uint64_t next_tag = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;
  bool in_order = true;
};

void add_set(CommandBatch& batch, std::uint64_t tag, std::string_view value) {
  const std::string key = "k" + std::to_string(tag);
  batch.begin_command(3);
  batch.arg("SET");
  batch.arg(key);
  batch.arg(value);
  batch.end_command(tag, key);
}

using Task = std::function<asio::awaitable<Result<void>>(TargetWriter&)>;

asio::awaitable<Result<void>> with_writer(ConnectOptions connect, TargetWriterOptions options,
                                          ReplyHandler& handler, Task task) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  TargetWriter writer(**connection, handler, options);
  auto running = task(writer);
  co_return co_await std::move(running);
}

Result<void> write_to(const FakeServer& server, ReplyHandler& handler, Task task,
                      TargetWriterOptions options = {}) {
  asio::io_context io;
  return run(io, with_writer(server.options(), options, handler, std::move(task)));
}

asio::awaitable<Result<void>> three_sets(TargetWriter& writer) {
  CommandBatch batch;
  add_set(batch, 0, "a");
  add_set(batch, 1, "b");
  auto first = co_await writer.write(batch.split());
  if (!first) co_return first;
  add_set(batch, 2, "c");
  auto second = co_await writer.write(batch.split());
  if (!second) co_return second;
  co_return co_await writer.finish();
}

TEST(TargetWriter, MatchesRepliesInOrderAndPassesErrorsOn) {
  FakeServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i) peer.read_command();  // answers late: only when all is there
    peer.send("+OK\r\n-BUSYKEY Target key name already exists.\r\n+O");
    peer.send("K\r\n");
    peer.wait_for_close();
  });
  Recorder seen;
  const auto result = write_to(server, seen, three_sets);
  ASSERT_TRUE(result.has_value()) << result.error().detail;
  EXPECT_EQ(seen.log, "0 k0 OK;1 k1 BUSYKEY Target key name already exists.;2 k2 OK;");
}

TEST(TargetWriter, FinishWithNothingWrittenIsAtOnce) {
  FakeServer server([](Peer& peer) { peer.wait_for_close(); });
  Recorder seen;
  const auto finish = [](TargetWriter& writer) { return writer.finish(); };
  EXPECT_TRUE(write_to(server, seen, finish).has_value());
}

asio::awaitable<Result<void>> many_sets(TargetWriter& writer) {
  const std::string value(100, 'v');
  CommandBatch batch;
  for (std::uint64_t tag = 0; tag < 60'000; ++tag) {
    add_set(batch, tag, value);
    if (batch.size_bytes() < 1UL << 20) continue;
    auto written = co_await writer.write(batch.split());
    if (!written) co_return written;
    EXPECT_LE(writer.inflight_bytes(), 4UL << 20);
  }
  auto written = co_await writer.write(batch.split());
  if (!written) co_return written;
  co_return co_await writer.finish();
}

// The server stops reading until its replies are taken: with one of us waiting to write and nobody
// reading, both would wait for ever.
TEST(TargetWriter, ReadsWhileItWrites) {
  const std::string reply = "+" + std::string(1000, 'r') + "\r\n";
  FakeServer server([&](Peer& peer) {
    for (int i = 0; i < 60'000; ++i) peer.read_command(), peer.send(reply);
    peer.wait_for_close();
  });
  Recorder seen;
  TargetWriterOptions options;
  options.inflight_bytes_max = 4UL << 20;
  const auto result = write_to(server, seen, many_sets, options);
  ASSERT_TRUE(result.has_value()) << result.error().detail;
  EXPECT_EQ(seen.answered, 60'000u);
  EXPECT_TRUE(seen.in_order);
}

asio::awaitable<Result<void>> one_huge_set(TargetWriter& writer) {
  const std::string part(1UL << 20, 'p');
  CommandBatch batch;
  add_set(batch, 0, "small");
  batch.begin_command(3);
  batch.arg("SET");
  batch.arg("huge");
  batch.begin_arg(20 * part.size());
  for (int i = 0; i < 20; ++i) {
    batch.arg_part(std::as_bytes(std::span(part)));
    auto written = co_await writer.write(batch.split());
    if (!written) co_return written;
  }
  batch.end_command(1, "huge");
  add_set(batch, 2, "small");
  auto written = co_await writer.write(batch.split());
  if (!written) co_return written;
  co_return co_await writer.finish();
}

TEST(TargetWriter, WritesAValueLargerThanTheLimitInPieces) {
  FakeServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i) {
      const auto command = peer.read_command();
      peer.send("+" + std::to_string(command.at(2).size()) + "\r\n");
    }
    peer.wait_for_close();
  });
  Recorder seen;
  TargetWriterOptions options;
  options.inflight_bytes_max = 3UL << 20;
  const auto result = write_to(server, seen, one_huge_set, options);
  ASSERT_TRUE(result.has_value()) << result.error().detail;
  EXPECT_EQ(seen.log, "0 k0 5;1 huge 20971520;2 k2 5;");
}

asio::awaitable<Result<void>> three_sets_and_one_more(TargetWriter& writer) {
  auto result = co_await three_sets(writer);
  EXPECT_FALSE(result.has_value());
  CommandBatch batch;
  add_set(batch, 3, "d");
  auto later = co_await writer.write(batch.split());
  EXPECT_EQ(later.error().code, result.error().code);
  auto last = co_await writer.finish();
  EXPECT_EQ(last.error().code, result.error().code);
  co_return result;
}

TEST(TargetWriter, ALostConnectionTellsWhatWasNotAnswered) {
  FakeServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i) peer.read_command();
    peer.send("+OK\r\n");
  });
  Recorder seen;
  const auto result = write_to(server, seen, three_sets_and_one_more);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::closed_by_peer);
  EXPECT_TRUE(result.error().detail.ends_with("2 commands unanswered")) << result.error().detail;
  EXPECT_EQ(seen.log, "0 k0 OK;1 k1 ?;2 k2 ?;3 k3 ?;");
}

// The peer answers some commands and goes while much is still to be written: those answers count.
TEST(TargetWriter, AConnectionLostWhileWritingAccountsForEveryCommand) {
  for (const bool reset : {false, true}) {
    FakeServer server([&](Peer& peer) {
      for (int i = 0; i < 100; ++i) peer.read_command(), peer.send("+OK\r\n");
      if (reset) peer.reset();
    });
    Recorder seen;
    std::uint64_t given = 0;
    const auto task = [&](TargetWriter& writer) -> asio::awaitable<Result<void>> {
      return [](TargetWriter& w, std::uint64_t& count) -> asio::awaitable<Result<void>> {
        const std::string value(4096, 'v');
        while (true) {
          CommandBatch batch;
          for (int i = 0; i < 1000; ++i) add_set(batch, count++, value);
          auto written = co_await w.write(std::move(batch));
          if (!written) co_return written;
        }
      }(writer, given);
    };
    const auto result = write_to(server, seen, task);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::closed_by_peer) << result.error().detail;
    EXPECT_EQ(seen.answered + seen.unanswered, given);
    EXPECT_TRUE(seen.in_order);
    EXPECT_LE(seen.answered, 100u);
  }
}

TEST(TargetWriter, ASilentServerTimesOut) {
  FakeServer server([](Peer& peer) { peer.wait_for_close(); });
  Recorder seen;
  TargetWriterOptions options;
  options.silence_timeout = 50ms;
  const auto result = write_to(server, seen, three_sets, options);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(seen.unanswered, 3u);
}

TEST(TargetWriter, RefusesRepliesThatFitNoCommand) {
  for (const std::string reply : {"+OK\r\n+OK\r\n+OK\r\n+MORE\r\n", "?\r\n"}) {
    FakeServer server([&](Peer& peer) {
      for (int i = 0; i < 3; ++i) peer.read_command();  // all that will be written
      peer.send(reply);
      peer.wait_for_close();
    });
    Recorder seen;
    const auto result = write_to(server, seen, three_sets);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::protocol_error) << result.error().detail;
    EXPECT_EQ(seen.answered + seen.unanswered, 3u);
  }
}

TEST(TargetWriter, CanBeCancelled) {
  asio::io_context io;
  asio::cancellation_signal signal;
  FakeServer server([&](Peer& peer) {
    for (int i = 0; i < 3; ++i) peer.read_command();
    asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
    peer.wait_for_close();
  });
  Recorder seen;
  std::optional<Result<void>> result;
  asio::co_spawn(
      io, with_writer(server.options(), {}, seen, three_sets),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, Result<void> got) {
        EXPECT_FALSE(thrown);
        result = std::move(got);
      }));
  io.run();
  server.join();
  ASSERT_TRUE(result.has_value());
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().code, Errc::cancelled);
  EXPECT_EQ(seen.unanswered, 3u);
}

asio::awaitable<Result<void>> finish_after_own_cancel(TargetWriter& writer,
                                                      asio::cancellation_signal& signal) {
  CommandBatch batch;
  add_set(batch, 0, "a");
  auto written = co_await writer.write(batch.split());
  if (!written) co_return written;
  signal.emit(asio::cancellation_type::terminal);  // no operation is there to take it
  co_return co_await writer.finish();
}

TEST(TargetWriter, ACancelBetweenTwoCallsIsNotLost) {
  asio::io_context io;
  asio::cancellation_signal signal;
  FakeServer server([](Peer& peer) { peer.wait_for_close(); });
  Recorder seen;
  std::optional<Result<void>> result;
  const auto task = [&](TargetWriter& writer) { return finish_after_own_cancel(writer, signal); };
  asio::co_spawn(
      io, with_writer(server.options(), {}, seen, task),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, Result<void> got) {
        EXPECT_FALSE(thrown);
        result = std::move(got);
      }));
  io.run();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error().code, Errc::cancelled);
  EXPECT_EQ(seen.log, "0 k0 ?;");
}

}  // namespace
}  // namespace sluice::net
