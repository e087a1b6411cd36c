#include "net/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "fake_server.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<Result<std::string>> read_once(ConnectOptions options,
                                               std::chrono::milliseconds limit) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  std::string text(100, '\0');
  const auto into = std::as_writable_bytes(std::span(text));
  auto reading = (*connection)->read_some(into);
  const auto size = co_await with_deadline(std::move(reading), limit, "reading");
  if (!size) co_return std::unexpected(size.error());
  text.resize(*size);
  co_return text;
}

// A port on loopback where nobody listens: taken, and given back.
std::uint16_t unused_port() {
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io,
                                   asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  return acceptor.local_endpoint().port();
}

TEST(Connection, ReadsWhatThePeerSends) {
  FakeServer server([](Peer& peer) {
    peer.send("hello");
    peer.wait_for_close();
  });
  asio::io_context io;
  EXPECT_EQ(run(io, read_once(server.options(), 5s)), "hello");
}

TEST(Connection, ResolvesANameAndTriesItsAddressesInTurn) {
  FakeServer server([](Peer& peer) {
    peer.send("hello");
    peer.wait_for_close();
  });
  auto options = server.options();
  options.host = "localhost";  // often ::1 first, where nobody listens
  asio::io_context io;
  EXPECT_EQ(run(io, read_once(options, 5s)), "hello");
}

TEST(Connection, SaysWhichAddressRefused) {
  ConnectOptions options;
  options.port = unused_port();
  asio::io_context io;
  const auto result = run(io, read_once(options, 5s));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::connect_failed);
  EXPECT_EQ(result.error().detail,
            "127.0.0.1:" + std::to_string(options.port) + ": Connection refused");
}

TEST(Connection, SaysThatANameHasNoAddress) {
  ConnectOptions options;
  options.host = "no-such-host.invalid";
  asio::io_context io;
  const auto result = run(io, read_once(options, 5s));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::resolve_failed);
  EXPECT_NE(result.error().detail.find("'no-such-host.invalid'"), std::string::npos);
}

TEST(Connection, GivesUpConnectingAfterTheTimeout) {
  // A listener whose queue is full swallows further connections.
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io);
  acceptor.open(asio::ip::tcp::v4());
  acceptor.bind(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  acceptor.listen(0);
  std::vector<asio::ip::tcp::socket> queued;
  const auto endpoint = acceptor.local_endpoint();
  for (int i = 0; i < 4; ++i) {  // Asio's own connect() would wait
    auto& socket = queued.emplace_back(io, asio::ip::tcp::v4());
    socket.native_non_blocking(true);
    ::connect(socket.native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  }
  ConnectOptions options;
  options.port = acceptor.local_endpoint().port();
  options.connect_timeout = 100ms;
  const auto result = run(io, read_once(options, 5s));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(result.error().detail, "connecting to 127.0.0.1:" + std::to_string(options.port));
}

TEST(Connection, ReportsACloseAndADeadline) {
  FakeServer closing([](Peer&) {});
  asio::io_context io;
  EXPECT_EQ(run(io, read_once(closing.options(), 5s)).error().code, Errc::closed_by_peer);

  FakeServer silent([](Peer& peer) { peer.wait_for_close(); });
  const auto result = run(io, read_once(silent.options(), 30ms));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(result.error().detail, "reading");
}

asio::awaitable<Result<void>> read_twice_expecting_cancel(ConnectOptions options) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  std::byte byte{};
  const std::span<std::byte> into(&byte, 1);
  const auto first = co_await (*connection)->read_some(into);
  EXPECT_FALSE(first.has_value());
  const auto second = co_await (*connection)->read_some(into);  // no exception, no second wait
  EXPECT_EQ(second.error().code, Errc::cancelled);
  co_return std::unexpected(first.error());
}

TEST(Connection, ACancelIsAResultAndLasts) {
  asio::io_context io;
  asio::cancellation_signal signal;
  FakeServer server([&](Peer& peer) {
    asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
    peer.wait_for_close();
  });
  std::optional<Result<void>> result;
  asio::co_spawn(
      io, read_twice_expecting_cancel(server.options()),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, Result<void> got) {
        EXPECT_FALSE(thrown);
        result = std::move(got);
      }));
  io.run();
  server.join();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error().code, Errc::cancelled);
}

asio::awaitable<Result<void>> write_much(ConnectOptions options, std::string text,
                                         std::chrono::milliseconds silence) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  const auto bytes = std::as_bytes(std::span(text));
  auto writing = (*connection)->write_all(bytes);
  co_return co_await with_silence_limit(std::move(writing), (*connection)->activity(), silence,
                                        "writing");
}

TEST(Connection, WritesAllOrSaysThatThePeerStoppedReading) {
  const std::string text(64UL << 20, 'x');
  FakeServer reading([&](Peer& peer) { EXPECT_EQ(peer.read_exactly(text.size()), text); });
  asio::io_context io;
  EXPECT_TRUE(run(io, write_much(reading.options(), text, 5s)).has_value());

  std::promise<void> over;
  FakeServer stuck([&](Peer&) { over.get_future().wait(); });
  const auto result = run(io, write_much(stuck.options(), text, 50ms));
  over.set_value();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(result.error().detail, "writing");
}

TEST(Connection, TakesItsOptionsFromAUri) {
  const auto options = connect_options(*parse_uri("valkeys://u:p@[::1]:7000/1"));
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 7000);
  EXPECT_TRUE(options.tls.enabled);
  EXPECT_EQ(address_of(options), "[::1]:7000");
}

}  // namespace
}  // namespace sluice::net
