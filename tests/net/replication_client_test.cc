#include "net/replication_client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <future>
#include <thread>

#include "fake_server.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

const std::string replid(40, 'b');
const std::string mark = "fedcba9876543210fedcba9876543210fedcba98";

class Recorder final : public SnapshotSink {
 public:
  bool on_begin(const FullResync& granted, std::optional<std::uint64_t> length) override {
    ++begins;
    offset = granted.offset;
    length_bytes = length;
    return true;
  }
  bool on_bytes(std::span<const std::byte> part) override {
    if (on_part) on_part();
    payload.append(reinterpret_cast<const char*>(part.data()), part.size());
    return !abort;
  }

  int begins = 0;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length_bytes;
  std::string payload;
  std::function<void()> on_part;
  bool abort = false;
};

// Answers the handshake up to PSYNC, which is left to the script.
void answer_until_psync(Peer& peer) {
  while (true) {
    const auto command = peer.read_command();
    if (command.empty() || command.front() == "PSYNC") return;
    peer.send(command.front() == "PING" ? "+PONG\r\n" : "+OK\r\n");
  }
}

void grant(Peer& peer) {
  answer_until_psync(peer);
  peer.send("\n+FULLRESYNC " + replid + " 77\r\n\n\n");
}

ReplicationOptions options_for(const FakeServer& server) {
  ReplicationOptions options;
  options.connect = server.options();
  options.silence_timeout = 5s;
  return options;
}

Result<SnapshotStats> receive(const ReplicationOptions& options, SnapshotSink& sink) {
  asio::io_context io;
  return run(io, receive_snapshot(options, sink));
}

TEST(ReceiveSnapshot, TakesACountedSnapshotAndCloses) {
  std::promise<bool> closed;
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$5\r\nREDIS");
    peer.send("\n\n");  // and stays idle: the client must not wait for a close
    closed.set_value(peer.wait_for_close());
  });
  Recorder seen;
  const auto stats = receive(options_for(server), seen);
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_EQ(seen.payload, "REDIS");
  EXPECT_EQ(seen.offset, 77u);
  EXPECT_EQ(seen.length_bytes, 5u);
  EXPECT_EQ(stats->bytes, 5u);
  EXPECT_EQ(stats->granted.replid, replid);
  EXPECT_EQ(stats->length_bytes, 5u);
  EXPECT_EQ(stats->attempts, 1u);
  EXPECT_TRUE(closed.get_future().get());
}

TEST(ReceiveSnapshot, TakesAMarkedSnapshotOfManyReads) {
  const std::string part(100'003, 'x');
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$EOF:" + mark + "\r\n");
    for (int i = 0; i < 50; ++i) peer.send(part + mark.substr(0, 20));
    peer.send(mark + "\n");
    peer.wait_for_close();
  });
  Recorder seen;
  const auto stats = receive(options_for(server), seen);
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_EQ(stats->bytes, 50u * (part.size() + 20));
  EXPECT_EQ(seen.payload.size(), stats->bytes);
  EXPECT_FALSE(seen.length_bytes.has_value());
}

TEST(ReceiveSnapshot, FindsAMarkThatStraddlesReads) {
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$EOF:" + mark + "\r\nhello");
    for (const char c : mark) peer.send(std::string_view(&c, 1));
    peer.wait_for_close();
  });
  Recorder seen;
  ASSERT_TRUE(receive(options_for(server), seen).has_value());
  EXPECT_EQ(seen.payload, "hello");
}

TEST(ReceiveSnapshot, SaysHowMuchCameWhenTheSourceClosesOrResets) {
  for (const bool reset : {false, true}) {
    FakeServer server([&](Peer& peer) {
      grant(peer);
      peer.send("$10\r\nhello");
      peer.read_exactly(0);
      if (reset) peer.reset();
    });
    Recorder seen;
    const auto stats = receive(options_for(server), seen);
    ASSERT_FALSE(stats.has_value());
    if (!reset) {
      EXPECT_EQ(stats.error().code, Errc::cut_short);
      EXPECT_EQ(stats.error().detail, "5 of 10 bytes received");
    } else {  // a reset may overtake the bytes, even the handshake's
      EXPECT_TRUE(stats.error().code == Errc::cut_short ||
                  stats.error().code == Errc::closed_by_peer)
          << stats.error().code.message();
    }
  }
}

TEST(ReceiveSnapshot, SaysWhereItWasWhenTheSourceClosesInTheHandshake) {
  FakeServer server([](Peer& peer) { peer.read_command(); });
  Recorder seen;
  const auto stats = receive(options_for(server), seen);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, Errc::closed_by_peer);
  EXPECT_NE(stats.error().detail.find("waiting for the reply to PING"), std::string::npos)
      << stats.error().detail;
}

TEST(ReceiveSnapshot, PassesOnWhatTheSourceRefused) {
  const std::pair<std::string, Errc> cases[] = {
      {"-NOPERM no psync\r\n", Errc::no_permission},
      {"-ERR unknown command 'PSYNC'\r\n", Errc::command_unknown},
      {"-LOADING x\r\n", Errc::loading},
      {"+FULLRESYNC " + replid + " 1\r\n-ERR BGSAVE failed, replication can't continue\r\n",
       Errc::save_failed},
      {"+FULLRESYNC " + replid + " 1\r\n?\r\n", Errc::protocol_error},
  };
  for (const auto& [reply, code] : cases) {
    FakeServer server([&](Peer& peer) {
      answer_until_psync(peer);
      peer.send(reply);
      peer.wait_for_close();
    });
    Recorder seen;
    const auto stats = receive(options_for(server), seen);
    ASSERT_FALSE(stats.has_value()) << reply;
    EXPECT_EQ(stats.error().code, code) << reply;
    EXPECT_EQ(seen.begins, 0);
  }
}

TEST(ReceiveSnapshot, SaysWhereTheSourceFellSilent) {
  const std::pair<FakeServer::Script, std::string> cases[] = {
      {[](Peer& peer) { peer.wait_for_close(); }, "waiting for the reply to PING"},
      {[](Peer& peer) { answer_until_psync(peer), peer.wait_for_close(); },
       "waiting for the reply to PSYNC"},
      {[](Peer& peer) { grant(peer), peer.wait_for_close(); }, "waiting for the save"},
      {[](Peer& peer) { grant(peer), peer.send("$9\r\nhi"), peer.wait_for_close(); },
       "mid transfer"},
  };
  for (const auto& [script, where] : cases) {
    FakeServer server(script);
    auto options = options_for(server);
    options.silence_timeout = 60ms;
    Recorder seen;
    const auto stats = receive(options, seen);
    ASSERT_FALSE(stats.has_value()) << where;
    EXPECT_EQ(stats.error().code, Errc::timed_out) << where;
    EXPECT_NE(stats.error().detail.find(where), std::string::npos) << stats.error().detail;
  }
}

TEST(ReceiveSnapshot, NewlinesKeepALongSaveAlive) {
  FakeServer server([&](Peer& peer) {
    grant(peer);
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(40ms);  // the deadline under test is 150 ms of silence
      peer.send("\n");
    }
    peer.send("$2\r\nok");
    peer.wait_for_close();
  });
  auto options = options_for(server);
  options.silence_timeout = 150ms;
  Recorder seen;
  const auto stats = receive(options, seen);
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_GE(stats->save_wait, 300ms);
}

TEST(ReceiveSnapshot, TimeInsideTheSinkIsNotSilence) {
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$4\r\nab");
    std::this_thread::sleep_for(20ms);  // so that the sink is called twice
    peer.send("cd");
    peer.wait_for_close();
  });
  auto options = options_for(server);
  options.silence_timeout = 100ms;
  Recorder seen;
  seen.on_part = [] { std::this_thread::sleep_for(250ms); };
  const auto stats = receive(options, seen);
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_EQ(seen.payload, "abcd");
}

TEST(ReceiveSnapshot, StopsWhenTheSinkSaysSo) {
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$9\r\nhello");
    peer.wait_for_close();
  });
  Recorder seen;
  seen.abort = true;
  const auto stats = receive(options_for(server), seen);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, Errc::sink_aborted);
}

TEST(ReceiveSnapshot, WhatTheSinkThrowsPassesThrough) {
  FakeServer server([&](Peer& peer) {
    grant(peer);
    peer.send("$9\r\nhello");
    peer.wait_for_close();
  });
  Recorder seen;
  seen.on_part = [] { throw std::bad_alloc(); };
  EXPECT_THROW(std::ignore = receive(options_for(server), seen), std::bad_alloc);
}

TEST(ReceiveSnapshot, TriesAgainWhileTheSourceLoads) {
  const auto loading = [](Peer& peer) {
    peer.read_command();
    peer.send("-LOADING Redis is loading the dataset in memory\r\n");
    peer.wait_for_close();
  };
  const auto no_link = [](Peer& peer) {
    answer_until_psync(peer);
    peer.send("-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    peer.wait_for_close();
  };
  const auto ready = [](Peer& peer) {
    grant(peer);
    peer.send("$2\r\nok");
    peer.wait_for_close();
  };
  FakeServer server(std::vector<FakeServer::Script>{loading, no_link, ready});
  auto options = options_for(server);
  options.loading_wait = 5s;
  options.retry_interval = 1ms;
  Recorder seen;
  const auto stats = receive(options, seen);
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_EQ(stats->attempts, 3u);
  EXPECT_EQ(seen.begins, 1);
}

TEST(ReceiveSnapshot, GivesUpLoadingAfterTheWait) {
  const FakeServer::Script loading = [](Peer& peer) {
    peer.read_command();
    peer.send("-LOADING x\r\n");
  };
  FakeServer server(std::vector<FakeServer::Script>(200, loading));
  auto options = options_for(server);
  options.loading_wait = 20ms;
  options.retry_interval = 5ms;
  Recorder seen;
  const auto stats = receive(options, seen);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, Errc::loading);
}

// Cancels at each phase, when the script says that it is reached.
TEST(ReceiveSnapshot, CanBeCancelledInEveryPhase) {
  const FakeServer::Script phases[] = {
      [](Peer&) {},
      [](Peer& peer) { peer.read_command(); },
      [](Peer& peer) { grant(peer); },
      [](Peer& peer) { grant(peer), peer.send("$9\r\nhi"); },
  };
  for (const auto& reach : phases) {
    asio::io_context io;
    asio::cancellation_signal signal;
    FakeServer server([&](Peer& peer) {
      reach(peer);
      asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
      peer.wait_for_close();
    });
    Recorder seen;
    std::optional<Result<SnapshotStats>> stats;
    asio::co_spawn(io, receive_snapshot(options_for(server), seen),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr thrown, Result<SnapshotStats> result) {
                         EXPECT_FALSE(thrown);
                         stats = std::move(result);
                       }));
    io.run();
    ASSERT_TRUE(stats.has_value());
    ASSERT_FALSE(stats->has_value());
    EXPECT_EQ(stats->error().code, Errc::cancelled) << stats->error().detail;
    server.join();
  }
}

TEST(ReceiveSnapshot, SendsCredentialsAndReportsAWrongPassword) {
  std::vector<std::string> auth;
  FakeServer server([&](Peer& peer) {
    peer.read_command();
    peer.send("-NOAUTH Authentication required.\r\n");
    auth = peer.read_command();
    peer.send("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    peer.wait_for_close();
  });
  auto options = options_for(server);
  options.handshake.user = "bob";
  options.handshake.password = "hunter2";
  Recorder seen;
  const auto stats = receive(options, seen);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, Errc::auth_failed);
  EXPECT_EQ(stats.error().detail.find("hunter2"), std::string::npos);
  server.join();
  EXPECT_EQ(auth, (std::vector<std::string>{"AUTH", "bob", "hunter2"}));
}

}  // namespace
}  // namespace sluice::net
