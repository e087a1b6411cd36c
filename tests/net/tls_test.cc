#include <gtest/gtest.h>

#include "fake_server.h"
#include "net/connection.h"
#include "net/replication_client.h"
#include "net/target_writer.h"
#include "test_certificates.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<Result<std::string>> read_hello(ConnectOptions options) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  std::string text(100, '\0');
  const auto into = std::as_writable_bytes(std::span(text));
  const auto size = co_await (*connection)->read_some(into);
  if (!size) co_return std::unexpected(size.error());
  text.resize(*size);
  co_return text;
}

class Tls : public ::testing::Test {
 protected:
  void start(FakeServer::Script script, bool mutual = false) {
    ServerIdentity identity{.cert = files_.path("server.pem"),
                            .key = files_.path("server.key"),
                            .client_ca = mutual ? files_.path("ca.pem") : ""};
    server_.emplace(std::vector<FakeServer::Script>{std::move(script)}, std::move(identity));
    options_ = server_->options();
    options_.tls.cacert = files_.path("ca.pem");
    options_.connect_timeout = 5s;
  }
  Result<std::string> hello() {
    asio::io_context io;
    return run(io, read_hello(options_));
  }
  // The detail of the failure, "" when there is none.
  std::string failure() {
    const auto result = hello();
    if (result) return {};
    EXPECT_EQ(result.error().code, Errc::tls_failed) << result.error().code.message();
    return result.error().detail;
  }

  static void say_hello(Peer& peer) {
    peer.send("hello");
    peer.wait_for_close();
  }

  TestCertificates files_;
  std::optional<FakeServer> server_;
  ConnectOptions options_;
};

TEST_F(Tls, VerifiesAnAddressAndAName) {
  start(say_hello);
  EXPECT_EQ(hello(), "hello");
  start(say_hello);
  options_.host = "localhost";
  EXPECT_EQ(hello(), "hello");
}

TEST_F(Tls, RefusesAnAuthorityThatIsNotTrusted) {
  start(say_hello);
  options_.tls.cacert = files_.path("other-ca.pem");
  EXPECT_EQ(
      failure(),
      "the certificate of '127.0.0.1' is not trusted: unable to get local issuer certificate");
  start(say_hello);
  options_.tls.cacert.clear();  // the system's
  EXPECT_NE(failure(), "");
}

TEST_F(Tls, RefusesAWrongHostName) {
  start(say_hello);
  options_.tls.sni = "db.example.org";
  EXPECT_EQ(failure(), "the certificate of 'db.example.org' is not trusted: hostname mismatch");
  start(say_hello);
  options_.tls.sni = "10.0.0.1";
  EXPECT_EQ(failure(), "the certificate of '10.0.0.1' is not trusted: IP address mismatch");
}

TEST_F(Tls, TakesAnythingWhenInsecure) {
  start(say_hello);
  options_.tls.cacert.clear();
  options_.tls.sni = "db.example.org";
  options_.tls.insecure = true;
  EXPECT_EQ(hello(), "hello");
}

TEST_F(Tls, ShowsAClientCertificate) {
  start(say_hello, true);
  options_.tls.cert = files_.path("client.pem");
  options_.tls.key = files_.path("client.key");
  EXPECT_EQ(hello(), "hello");

  start(say_hello, true);
  options_.tls.cert.clear();
  options_.tls.key.clear();
  EXPECT_FALSE(hello().has_value());
}

TEST_F(Tls, NamesTheFileThatIsWrong) {
  start(say_hello);
  options_.tls.cacert = "/nonexistent/ca.pem";
  EXPECT_TRUE(failure().starts_with("CA certificates '/nonexistent/ca.pem': "));
  start(say_hello);
  options_.tls.cert = "/nonexistent/c.pem";
  EXPECT_EQ(failure(), "a client certificate needs its key, and a key its certificate");
  start(say_hello);
  options_.tls.cert = "/nonexistent/c.pem";
  options_.tls.key = files_.path("client.key");
  EXPECT_TRUE(failure().starts_with("certificate '/nonexistent/c.pem': "));
  start(say_hello);
  options_.tls.cert = files_.path("client.pem");
  options_.tls.key = files_.path("server.key");
  EXPECT_TRUE(failure().starts_with("key '" + files_.path("server.key") + "': "));
}

TEST_F(Tls, SaysThatThePortMayNotSpeakTls) {
  FakeServer plain([](Peer& peer) { peer.read_exactly(1), peer.send("-ERR what\r\n"); });
  options_ = plain.options();
  options_.tls.enabled = true;
  EXPECT_NE(failure(), "");
  FakeServer closing([](Peer&) {});
  options_.port = closing.port();
  EXPECT_NE(failure(), "");
}

TEST_F(Tls, AHandshakeThatDoesNotEndTimesOut) {
  FakeServer silent([](Peer& peer) { peer.wait_for_close(); });
  options_ = silent.options();
  options_.tls.enabled = true;
  options_.connect_timeout = 50ms;
  EXPECT_EQ(hello().error().code, Errc::timed_out);
}

class Counter final : public SnapshotSink {
 public:
  bool on_begin(const FullResync&, std::optional<std::uint64_t>) override { return true; }
  bool on_bytes(std::span<const std::byte> part) override {
    bytes += part.size();
    return true;
  }
  std::uint64_t bytes = 0;
};

TEST_F(Tls, CarriesASnapshot) {
  start([](Peer& peer) {
    while (peer.read_command().front() != "PSYNC") peer.send("+OK\r\n");
    peer.send("+FULLRESYNC " + std::string(40, 'a') + " 1\r\n$5000000\r\n");
    peer.send(std::string(5'000'000, 'x'));
    peer.wait_for_close();
  });
  ReplicationOptions options;
  options.connect = options_;
  Counter seen;
  asio::io_context io;
  const auto stats = run(io, receive_snapshot(options, seen));
  ASSERT_TRUE(stats.has_value()) << stats.error().detail;
  EXPECT_EQ(seen.bytes, 5'000'000u);
}

class Replies final : public ReplyHandler {
 public:
  void on_reply(std::uint64_t tag, std::span<const std::byte>, const Reply& reply) override {
    in_order = in_order && tag == answered++ && reply.text.size() == 200;
  }
  void on_unanswered(std::uint64_t, std::span<const std::byte>) override { in_order = false; }

  std::uint64_t answered = 0;
  bool in_order = true;
};

asio::awaitable<Result<void>> write_many(ConnectOptions connect, ReplyHandler& replies,
                                         std::uint64_t count) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  TargetWriter writer(**connection, replies);
  CommandBatch batch;
  for (std::uint64_t tag = 0; tag < count; ++tag) {
    batch.begin_command(2);
    batch.arg("ECHO");
    batch.arg("0123456789");
    batch.end_command(tag, "");
    if (tag % 97 != 0) continue;
    auto written = co_await writer.write(batch.split());
    if (!written) co_return written;
  }
  auto written = co_await writer.write(batch.split());
  if (!written) co_return written;
  co_return co_await writer.finish();
}

// Each write cancels the read beside it: not one byte of a reply may be lost by that.
TEST_F(Tls, TargetWriterLosesNoReply) {
  constexpr std::uint64_t count = 20'000;
  start([](Peer& peer) {
    const std::string reply = "+" + std::string(200, 'r') + "\r\n";
    for (std::uint64_t i = 0; i < count; ++i) peer.read_command(), peer.send(reply);
    peer.wait_for_close();
  });
  Replies replies;
  asio::io_context io;
  const auto result = run(io, write_many(options_, replies, count));
  ASSERT_TRUE(result.has_value()) << result.error().detail;
  EXPECT_EQ(replies.answered, count);
  EXPECT_TRUE(replies.in_order);
}

}  // namespace
}  // namespace sluice::net
