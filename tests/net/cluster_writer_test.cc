#include "net/cluster_writer.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include "fake_cluster.h"
#include "fake_server.h"
#include "net/key_slot.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Log = std::vector<std::string>;
using Route = ClusterWriterOptions::Route;

constexpr std::uint64_t function_tag = 1000;
constexpr std::uint64_t select_tag = 2000;

const std::string ok = "+OK\r\n";

class Recorder final : public ReplyHandler {
 public:
  void on_reply(std::uint64_t tag, std::span<const std::byte>, const Reply& reply) override {
    log += std::to_string(tag) + " " + reply.text + ";";
  }
  void on_unanswered(std::uint64_t tag, std::span<const std::byte>) override {
    log += std::to_string(tag) + " ?;";
  }

  std::string log;
};

class MemorySpool final : public CommandSpool {
 public:
  Result<void> append(std::span<const std::byte> bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return {};
  }
  Result<std::span<const std::byte>> piece(std::uint64_t offset, std::size_t bytes_max) override {
    const auto rest = std::span<const std::byte>(bytes_).subspan(offset);
    return rest.first(std::min({rest.size(), bytes_max, std::size_t{7}}));
  }
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  void clear() override { bytes_.clear(); }

 private:
  std::vector<std::byte> bytes_;
};

/// A key whose slot is in the lower or the upper half.
std::string key_in(bool upper, int number) {
  for (int i = number * 100;; ++i) {
    std::string key = "k" + std::to_string(i);
    if ((key_slot(std::as_bytes(std::span(key))) >= cluster_slots / 2) == upper) return key;
  }
}

void add_restore(CommandBatch& batch, std::uint64_t tag, const std::string& key) {
  batch.begin_command(4);
  for (const std::string_view word : {std::string_view("RESTORE"), std::string_view(key),
                                      std::string_view("0"), std::string_view("v")}) {
    batch.arg(word);
  }
  batch.end_command(tag, key);
}

/// Two nodes, each with half of the slots, and a third that may take one's place.
class ClusterWriterTest : public testing::Test {
 protected:
  struct Nodes {
    FakeNode::Answer low = [](const auto&) { return ok; };
    FakeNode::Answer high = [](const auto&) { return ok; };
    FakeNode::Answer spare = [](const auto&) { return ok; };
  };

  void start(Nodes answers) {
    low_ = std::make_unique<FakeNode>(shards_, std::move(answers.low));
    high_ = std::make_unique<FakeNode>(shards_, std::move(answers.high));
    spare_ = std::make_unique<FakeNode>(shards_, std::move(answers.spare));
    shards_ = {{.slots = {{0, 8191}}, .primary = {.id = {}, .address = low_->address()}},
               {.slots = {{8192, 16383}}, .primary = {.id = {}, .address = high_->address()}}};
    options_.route = [](std::uint64_t tag) {
      if (tag >= select_tag) return Route::session;
      return tag >= function_tag ? Route::every_primary : Route::by_key;
    };
    options_.login.silence_timeout = 2s;
    options_.spool = &spool_;
    options_.command_bytes_max = 50;
  }

  Result<void> write(std::vector<CommandBatch> batches) {
    asio::io_context io;
    const auto topology = Topology::of(shards_before_.empty() ? shards_ : shards_before_);
    ClusterWriter writer(io.get_executor(), *topology, seen_, options_);
    auto written = net::run(io, write_all(writer, std::move(batches)));
    stats_ = writer.stats();
    EXPECT_EQ(writer.inflight_bytes(), 0U);
    return written;
  }

  static asio::awaitable<Result<void>> write_all(ClusterWriter& writer,
                                                 std::vector<CommandBatch> batches) {
    for (CommandBatch& batch : batches) {
      auto written = co_await writer.write(std::move(batch));
      if (!written) co_return written;
    }
    co_return co_await writer.finish();
  }

  /// A RESTORE in each half.
  static std::vector<CommandBatch> two_restores() {
    std::vector<CommandBatch> batches(1);
    add_restore(batches[0], 0, key_in(false, 1));
    add_restore(batches[0], 1, key_in(true, 1));
    return batches;
  }

  std::vector<Shard> shards_;         // as the nodes see them
  std::vector<Shard> shards_before_;  // as the writer is told; empty: the same
  std::unique_ptr<FakeNode> low_;
  std::unique_ptr<FakeNode> high_;
  std::unique_ptr<FakeNode> spare_;
  ClusterWriterOptions options_;
  MemorySpool spool_;
  Recorder seen_;
  ClusterWriterStats stats_;
};

std::string restore_of(const std::string& key) { return "RESTORE " + key + " 0 v"; }

TEST_F(ClusterWriterTest, SendsEachKeyToItsPrimary) {
  start({});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_EQ(low_->log(), Log{restore_of(key_in(false, 1))});
  EXPECT_EQ(high_->log(), Log{restore_of(key_in(true, 1))});
}

TEST_F(ClusterWriterTest, PassesErrorsOnAndKeepsTheOrder) {
  start({.low = [](const auto&) {
    std::this_thread::sleep_for(50ms);  // the other one answers first
    return "-BUSYKEY Target key name already exists.\r\n";
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 BUSYKEY Target key name already exists.;1 OK;");
}

TEST_F(ClusterWriterTest, FollowsMovedAndLearnsFromIt) {
  start({.low = [this](const FakeNode::Command& command) {
    const auto slot = key_slot(std::as_bytes(std::span(command[1])));
    return "-MOVED " + std::to_string(slot) + " :" + std::to_string(high_->address().port) + "\r\n";
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_EQ(high_->log().size(), 2U);
  EXPECT_EQ(stats_.redirected, 1U);
}

TEST_F(ClusterWriterTest, AsksWhereItIsSentTo) {
  start({.low = [this](const auto&) {
    return "-ASK 1 127.0.0.1:" + std::to_string(spare_->address().port) + "\r\n";
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_EQ(spare_->log(), (Log{"ASKING", restore_of(key_in(false, 1))}));
}

TEST_F(ClusterWriterTest, WaitsWhileTheClusterIsDown) {
  int left = 3;
  std::string told;
  options_.on_trouble = [&told](std::string_view why) { told = why; };
  start({.low = [&left](const auto&) {
    return left-- > 0 ? std::string("-CLUSTERDOWN The cluster is down\r\n") : ok;
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_EQ(stats_.put_off, 3U);
  EXPECT_NE(told.find("CLUSTERDOWN"), std::string::npos);
}

TEST_F(ClusterWriterTest, GivesUpOnceItsPatienceIsOver) {
  options_.patience = 300ms;
  start({.low = [](const auto&) { return "-CLUSTERDOWN The cluster is down\r\n"; }});
  const auto written = write(two_restores());
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, Errc::timed_out);
  EXPECT_NE(written.error().detail.find("CLUSTERDOWN"), std::string::npos);
  EXPECT_TRUE(seen_.log.starts_with("0 ?;")) << seen_.log;
}

TEST_F(ClusterWriterTest, SendsAgainWithReplaceWhatWasNotAnswered) {
  bool closed = false;
  start({.low = [&closed](const auto&) -> std::optional<std::string> {
    if (!std::exchange(closed, true)) return std::nullopt;
    return ok;
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  const std::string sent = restore_of(key_in(false, 1));
  EXPECT_EQ(low_->log(), (Log{sent, sent + " REPLACE"}));
  EXPECT_EQ(stats_.sent_again, 1U);
  EXPECT_EQ(stats_.lost_links, 1U);
}

TEST_F(ClusterWriterTest, DoesNotReplaceWhatMayHaveBeenThereBefore) {
  bool closed = false;
  options_.may_replace = false;
  start({.low = [&closed](const auto&) -> std::optional<std::string> {
    if (!std::exchange(closed, true)) return std::nullopt;
    return "-BUSYKEY x\r\n";
  }});
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 BUSYKEY x;1 OK;");
  const std::string sent = restore_of(key_in(false, 1));
  EXPECT_EQ(low_->log(), (Log{sent, sent}));
}

// A primary says OK and dies before its replica has it.
TEST_F(ClusterWriterTest, SendsAgainWhatNoReplicaHasConfirmed) {
  options_.may_replace = false;  // an answer has come: the key is ours
  start({.low = [this](const FakeNode::Command& command) -> std::optional<std::string> {
    if (command[0] != "WAIT") return ok;
    shards_[0].primary = {.id = {}, .address = spare_->address()};
    shards_[0].replicas.clear();
    return std::nullopt;
  }});
  shards_[0].replicas = {{.id = {}, .address = spare_->address()}};
  shards_before_ = shards_;
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  const std::string sent = restore_of(key_in(false, 1));
  EXPECT_EQ(low_->log(), (Log{sent, "WAIT 1 1000"}));
  EXPECT_EQ(spare_->log(), Log{sent + " REPLACE"});
}

TEST_F(ClusterWriterTest, CountsOnceTheReplicaHasIt) {
  start({.low = [](const FakeNode::Command& command) {
    return command[0] == "WAIT" ? std::string(":1\r\n") : ok;
  }});
  shards_[0].replicas = {{.id = {}, .address = spare_->address()}};
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_FALSE(stats_.unconfirmed);
}

TEST_F(ClusterWriterTest, DoesNotWaitWhereWaitIsForbidden) {
  start({.low = [](const FakeNode::Command& command) {
    return command[0] == "WAIT" ? std::string("-NOPERM x\r\n") : ok;
  }});
  shards_[0].replicas = {{.id = {}, .address = spare_->address()}};
  ASSERT_TRUE(write(two_restores()).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  EXPECT_TRUE(stats_.unconfirmed);
}

// It would be there twice.
TEST_F(ClusterWriterTest, DoesNotRepeatWhatIsNoRestore) {
  bool closed = false;
  start({.low = [&closed](const auto&) -> std::optional<std::string> {
    if (!std::exchange(closed, true)) return std::nullopt;
    return ok;
  }});
  std::vector<CommandBatch> batches(1);
  const std::string key = key_in(false, 1);
  batches[0].begin_command(3);
  batches[0].arg("RPUSH");
  batches[0].arg(key);
  batches[0].arg("v");
  batches[0].end_command(7, key);
  add_restore(batches[0], 8, key_in(true, 1));
  ASSERT_TRUE(write(std::move(batches)).has_value());
  EXPECT_EQ(seen_.log, "7 ?;8 OK;");
  EXPECT_EQ(low_->log().size(), 1U);
}

TEST_F(ClusterWriterTest, SendsFunctionsToEveryPrimary) {
  start({.high = [](const FakeNode::Command& command) {
    return command[0] == "FUNCTION" ? std::string("-ERR no memory\r\n") : ok;
  }});
  auto batches = two_restores();
  batches.emplace_back();
  batches[1].begin_command(3);
  batches[1].arg("FUNCTION");
  batches[1].arg("LOAD");
  batches[1].arg("code");
  batches[1].end_command(function_tag, "lib");
  add_restore(batches[1], 2, key_in(false, 2));
  ASSERT_TRUE(write(std::move(batches)).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;1000 ERR no memory;2 OK;");
  EXPECT_EQ(low_->log()[1], "FUNCTION LOAD code");
  EXPECT_EQ(high_->log()[1], "FUNCTION LOAD code");
}

TEST_F(ClusterWriterTest, SelectsAgainOnANewConnection) {
  bool closed = false;
  start({.low = [&closed](const FakeNode::Command& command) -> std::optional<std::string> {
    if (command[0] == "RESTORE" && !std::exchange(closed, true)) return std::nullopt;
    return ok;
  }});
  std::vector<CommandBatch> batches(1);
  batches[0].begin_command(2);
  batches[0].arg("SELECT");
  batches[0].arg("1");
  batches[0].end_command(select_tag, "");
  add_restore(batches[0], 1, key_in(false, 1));
  ASSERT_TRUE(write(std::move(batches)).has_value());
  const std::string sent = restore_of(key_in(false, 1));
  EXPECT_EQ(seen_.log, "2000 OK;1 OK;");
  EXPECT_EQ(low_->log(), (Log{"SELECT 1", sent, "SELECT 1", sent + " REPLACE"}));
}

std::vector<CommandBatch> in_pieces(const std::string& key) {
  CommandBatch batch;
  std::vector<CommandBatch> batches;
  batch.begin_command(4);
  batch.arg("RESTORE");
  batch.arg(key);
  batch.arg("0");
  batch.begin_arg(6);
  batch.arg_part(std::as_bytes(std::span("abc", 3)));
  batches.push_back(batch.split());
  batch.arg_part(std::as_bytes(std::span("def", 3)));
  batch.end_command(0, key);
  add_restore(batch, 1, key_in(true, 1));
  batches.push_back(batch.split());
  return batches;
}

TEST_F(ClusterWriterTest, SendsACommandInPiecesAgainToo) {
  bool closed = false;
  start({.low = [&](const FakeNode::Command&) -> std::optional<std::string> {
    if (!std::exchange(closed, true)) return std::nullopt;
    return "-ASK 1 127.0.0.1:" + std::to_string(spare_->address().port) + "\r\n";
  }});
  const std::string key = key_in(false, 1);
  ASSERT_TRUE(write(in_pieces(key)).has_value());
  EXPECT_EQ(seen_.log, "0 OK;1 OK;");
  const std::string sent = "RESTORE " + key + " 0 abcdef";
  EXPECT_EQ(low_->log(), (Log{sent, sent + " REPLACE"}));
  EXPECT_EQ(spare_->log(), (Log{"ASKING", sent + " REPLACE"}));
  EXPECT_EQ(spool_.size(), 0U);
}

TEST_F(ClusterWriterTest, KeepsNoMoreThanItsLimit) {
  start({});
  options_.inflight_bytes_max = 4096;
  std::vector<CommandBatch> batches;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    CommandBatch batch;
    for (int j = 0; j < 20; ++j) {
      const int number = i * 20 + j;
      add_restore(batch, static_cast<std::uint64_t>(number % 1000),
                  key_in(number % 2 == 0, number));
      expected += std::to_string(number) + " OK;";
    }
    batches.push_back(std::move(batch));
  }
  ASSERT_TRUE(write(std::move(batches)).has_value());
  EXPECT_EQ(seen_.log, expected);
}

TEST_F(ClusterWriterTest, CanBeCancelled) {
  start({.low = [](const auto&) { return "-CLUSTERDOWN x\r\n"; }});
  asio::io_context io;
  ClusterWriter writer(io.get_executor(), *Topology::of(shards_), seen_, options_);
  asio::cancellation_signal signal;
  std::optional<Result<void>> result;
  auto done = [&result](const std::exception_ptr&, Result<void> outcome) { result = outcome; };
  asio::co_spawn(io, write_all(writer, two_restores()),
                 asio::bind_cancellation_slot(signal.slot(), done));
  asio::steady_timer timer(io, 200ms);
  timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
  io.run();
  ASSERT_TRUE(result && !result->has_value());
  EXPECT_EQ(result->error().code, Errc::cancelled);
  EXPECT_TRUE(seen_.log == "0 ?;1 ?;" || seen_.log == "0 ?;1 OK;") << seen_.log;
}

}  // namespace
}  // namespace sluice::net
