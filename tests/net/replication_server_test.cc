#include "net/replication_server.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

#include "net/connection.h"
#include "net/replication_client.h"
#include "net/resp.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A thread that runs what the test spawns.
class ReplicationServerTest : public testing::Test {
 protected:
  ReplicationServerTest() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~ReplicationServerTest() override {
    work_.reset();
    context_.stop();
    thread_.join();
  }

  template <class T>
  std::future<T> start(asio::awaitable<T> operation) {
    return asio::co_spawn(context_, std::move(operation), asio::use_future);
  }

  std::unique_ptr<ReplicationServer> listen(ReplicationServerOptions options = {}) {
    options.host = "127.0.0.1";
    auto server = ReplicationServer::listen(context_.get_executor(), std::move(options));
    EXPECT_TRUE(server.has_value());
    return std::move(*server);
  }

  // The blocking end of a replica that the test plays itself.
  class Replica {
   public:
    explicit Replica(std::uint16_t port) : socket_(context_) {
      socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    }
    void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
    std::string read(std::size_t size) {
      std::string text(size, '\0');
      asio::read(socket_, asio::buffer(text));
      return text;
    }
    void close() { socket_.close(); }
    bool closed() {
      char byte = 0;
      boost::system::error_code ec;
      asio::read(socket_, asio::buffer(&byte, 1), ec);
      return ec == asio::error::eof || ec == asio::error::connection_reset;
    }

   private:
    asio::io_context context_;
    asio::ip::tcp::socket socket_;
  };

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
  std::string refused_;

  auto note_refusal() {
    return [this](const std::string& address, const Error& error) {
      refused_ = address + ": " + error.detail;
    };
  }
};

TEST_F(ReplicationServerTest, GivesASnapshotThenTheStreamAndKnowsWhatIsAcknowledged) {
  const auto server = listen();
  auto accepting = start(server->accept(note_refusal()));
  Replica replica(server->port());
  replica.send("PING\r\nREPLCONF listening-port 7777\r\nPSYNC ? -1\r\n");
  auto session = std::move(*accepting.get());
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(replica.read(12), "+PONG\r\n+OK\r\n");
  EXPECT_EQ(session->peer().listening_port, 7777);
  EXPECT_EQ(session->peer().address, "127.0.0.1");

  ASSERT_TRUE(start(session->keep_alive()).get().has_value());
  const std::string id = make_replid();
  ASSERT_TRUE(start(session->begin_snapshot({.replid = id, .offset = 1000}, 5)).get().has_value());
  const std::string_view part = "HELLO";
  ASSERT_TRUE(start(session->send(std::as_bytes(std::span(part)))).get().has_value());
  const std::string head = "\n+FULLRESYNC " + id + " 1000\r\n$5\r\nHELLO";
  EXPECT_EQ(replica.read(head.size()), head);

  auto following = start(session->follow());
  EXPECT_EQ(replica.read(37), encode_command({"REPLCONF", "GETACK", "*"}));
  replica.send("\n\n");
  EXPECT_EQ(start(session->acknowledged(1000, 10ms)).get().value(), false);
  EXPECT_EQ(session->sent_offset(), 1037U);
  auto waiting = start(session->acknowledged(1000, 10s));
  replica.send(encode_command({"REPLCONF", "ACK", "1000"}));
  EXPECT_EQ(waiting.get().value(), true);
  EXPECT_EQ(session->acked_offset(), 1000U);
  replica.close();
  EXPECT_EQ(following.get().error().code, Errc::closed_by_peer);
  EXPECT_EQ(start(session->acknowledged(1037, 10s)).get().error().code, Errc::closed_by_peer);
}

TEST_F(ReplicationServerTest, PingsAndGivesUpAReplicaThatFallsSilent) {
  ReplicationServerOptions options;
  options.session = {.silence_timeout = 80ms, .ping_interval = 30ms};
  const auto server = listen(options);
  auto accepting = start(server->accept(nullptr));
  Replica replica(server->port());
  replica.send("SYNC\r\n");
  auto session = std::move(*accepting.get());
  ASSERT_TRUE(start(session->begin_snapshot({}, 0)).get().has_value());
  auto following = start(session->follow());
  EXPECT_EQ(replica.read(4 + 37 + 14),
            "$0\r\n" + encode_command({"REPLCONF", "GETACK", "*"}) + encode_command({"PING"}));
  replica.send(encode_command({"REPLCONF", "ACK", "0"}));
  EXPECT_EQ(following.get().error().code, Errc::timed_out);
}

TEST_F(ReplicationServerTest, ServesOnlyWhoIsExpected) {
  ReplicationServerOptions options;
  options.expects = [](const ReplicaPeer& peer) { return peer.listening_port == 1; };
  const auto server = listen(options);
  auto accepting = start(server->accept(note_refusal()));
  Replica stranger(server->port());
  stranger.send("REPLCONF listening-port 2\r\nPSYNC ? -1\r\n");
  EXPECT_EQ(*accepting.get(), nullptr);
  EXPECT_EQ(refused_, "127.0.0.1: it is not the one expected");
  const std::string said = "+OK\r\n-ERR this snapshot is for another server\r\n";
  EXPECT_EQ(stranger.read(said.size()), said);
  EXPECT_TRUE(stranger.closed());
}

TEST_F(ReplicationServerTest, RefusesAWrongPassword) {
  ReplicationServerOptions options;
  options.password = "secret";
  const auto server = listen(options);
  auto accepting = start(server->accept(note_refusal()));
  Replica replica(server->port());
  replica.send("AUTH guess\r\n");
  EXPECT_EQ(*accepting.get(), nullptr);
  EXPECT_EQ(refused_, "127.0.0.1: a replica came with a wrong password");
  EXPECT_EQ(replica.read(10), "-WRONGPASS");
}

TEST_F(ReplicationServerTest, DoesNotWaitForOneWhoSaysNothing) {
  ReplicationServerOptions options;
  options.handshake_timeout = 20ms;
  const auto server = listen(options);
  auto accepting = start(server->accept(note_refusal()));
  Replica replica(server->port());
  EXPECT_EQ(*accepting.get(), nullptr);
  EXPECT_TRUE(replica.closed());
}

TEST_F(ReplicationServerTest, IsUnderstoodByOurOwnReplica) {
  struct Sink final : SnapshotSink {
    bool on_begin(const FullResync&, std::optional<std::uint64_t>) override { return true; }
    bool on_bytes(std::span<const std::byte> bytes) override {
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return true;
    }
    std::string text;
  } sink;
  ReplicationServerOptions options;
  options.password = "pw";
  const auto server = listen(options);
  ReplicationOptions replica;
  replica.connect.port = server->port();
  replica.handshake.password = "pw";
  auto receiving = start(receive_snapshot(replica, sink));
  auto session = std::move(*start(server->accept(nullptr)).get());
  const std::string id = make_replid();
  ASSERT_TRUE(start(session->begin_snapshot({.replid = id, .offset = 7}, 3)).get().has_value());
  const std::string_view part = "RDB";
  ASSERT_TRUE(start(session->send(std::as_bytes(std::span(part)))).get().has_value());
  const auto stats = receiving.get();
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(sink.text, "RDB");
  EXPECT_EQ(stats->granted.replid, id);
  EXPECT_EQ(stats->granted.offset, 7U);
}

TEST_F(ReplicationServerTest, SaysWhereItCannotListen) {
  const auto server = listen();
  ReplicationServerOptions options;
  options.host = "127.0.0.1";
  options.port = server->port();
  const auto second = ReplicationServer::listen(context_.get_executor(), options);
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(second.error().detail.contains(std::to_string(server->port())));
}

TEST(Replid, IsOursAndNeverTheSame) {
  EXPECT_TRUE(is_own_replid(make_replid()));
  EXPECT_NE(make_replid(), make_replid());
  EXPECT_FALSE(is_own_replid(std::string(40, 'a')));
  EXPECT_FALSE(is_own_replid("736c75696365"));
}

}  // namespace
}  // namespace sluice::net
