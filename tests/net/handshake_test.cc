#include "net/handshake.h"

#include <gtest/gtest.h>

#include "net/resp.h"

namespace sluice::net {
namespace {

const std::string replid(40, 'a');

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Sends what is due and feeds one reply.
Result<std::size_t> answer(Handshake& handshake, std::string_view reply) {
  if (!handshake.to_send().empty()) handshake.on_sent();
  return handshake.feed(bytes(reply));
}

// Brings a handshake without AUTH to the point where `command` is due.
void advance_to(Handshake& handshake, std::string_view command) {
  while (handshake.command() != command) {
    ASSERT_FALSE(handshake.done());
    ASSERT_TRUE(answer(handshake, "+OK\r\n").has_value());
  }
}

Error refused_at(const HandshakeOptions& options, std::string_view command,
                 std::string_view reply) {
  Handshake handshake(options);
  advance_to(handshake, command);
  const auto result = answer(handshake, reply);
  if (result) return Error{.code = {}, .detail = "was taken"};
  EXPECT_TRUE(handshake.to_send().empty());
  EXPECT_EQ(handshake.feed(bytes("+OK\r\n")).error().code, result.error().code);
  return result.error();
}

TEST(Handshake, SendsEachCommandOnceAndKeepsWhatPsyncGranted) {
  HandshakeOptions options;
  options.user = "bob";
  options.password = "pw";
  Handshake handshake(options);
  const std::pair<std::string, std::string_view> dialogue[] = {
      {encode_command({"PING"}), "-NOAUTH Authentication required.\r\n"},
      {encode_command({"AUTH", "bob", "pw"}), "+OK\r\n"},
      {encode_command({"REPLCONF", "listening-port", "9"}), "+OK\r\n"},
      {encode_command({"REPLCONF", "capa", "eof", "capa", "psync2"}), "+OK\r\n"},
      {encode_command({"REPLCONF", "version", "9.1.0"}), "-ERR Unrecognized REPLCONF option\r\n"},
      {encode_command({"REPLCONF", "rdb-only", "1"}), "+OK\r\n"},
  };
  for (const auto& [command, reply] : dialogue) {
    EXPECT_EQ(handshake.to_send(), command);
    handshake.on_sent();
    EXPECT_TRUE(handshake.to_send().empty());
    ASSERT_EQ(handshake.feed(bytes(reply)), reply.size());
  }
  EXPECT_EQ(handshake.to_send(), encode_command({"PSYNC", "?", "-1"}));
  ASSERT_TRUE(answer(handshake, "+FULLRESYNC " + replid + " 123\r\n").has_value());
  EXPECT_TRUE(handshake.done());
  EXPECT_TRUE(handshake.to_send().empty());
  EXPECT_EQ(handshake.granted().replid, replid);
  EXPECT_EQ(handshake.granted().offset, 123u);
}

TEST(Handshake, LeavesOutWhatIsNotWanted) {
  HandshakeOptions options;
  options.password = "pw";
  options.announced_version.clear();
  options.rdb_only = false;
  options.listening_port = 1;
  Handshake handshake(options);
  std::string names;
  std::string sent;
  while (handshake.command() != "PSYNC") {
    names += std::string(handshake.command()) + ";";
    sent += handshake.to_send();
    ASSERT_TRUE(answer(handshake, "+OK\r\n").has_value());
  }
  EXPECT_EQ(names, "PING;AUTH;REPLCONF listening-port;REPLCONF capa;");
  EXPECT_NE(sent.find(encode_command({"AUTH", "pw"})), std::string::npos);
}

TEST(Handshake, GivesTheSameForEverySplitAndLeavesTheSnapshotAlone) {
  const std::string reply = "\n\n+FULLRESYNC " + replid + " 7\r\n$5\r\nREDIS";
  const std::size_t snapshot_at = reply.find('$');
  for (std::size_t cut = 0; cut <= reply.size(); ++cut) {
    SCOPED_TRACE("cut at byte " + std::to_string(cut));
    Handshake handshake(HandshakeOptions{});
    advance_to(handshake, "PSYNC");
    handshake.on_sent();
    std::size_t total = 0;
    for (auto part : {bytes(reply).first(cut), bytes(reply).subspan(cut)}) {
      while (!part.empty() && !handshake.done()) {
        const auto taken = handshake.feed(part);
        ASSERT_TRUE(taken.has_value());
        total += *taken;
        part = part.subspan(*taken);
      }
    }
    EXPECT_TRUE(handshake.done());
    EXPECT_EQ(total, snapshot_at);
    EXPECT_EQ(handshake.granted().offset, 7u);
  }
}

TEST(Handshake, SkipsBareNewlinesBeforeEveryReply) {
  Handshake handshake(HandshakeOptions{});
  while (handshake.command() != "PSYNC") {
    ASSERT_EQ(answer(handshake, "\n"), 1u);
    ASSERT_EQ(answer(handshake, "\r\n"), 2u);
    ASSERT_TRUE(answer(handshake, "+OK\r\n").has_value());
  }
}

TEST(Handshake, PingTakesWhatTheTableOfTheProtocolSays) {
  HandshakeOptions with_password;
  with_password.password = "pw";
  for (std::string_view reply :
       {"+PONG\r\n", "-NOAUTH x\r\n", "-NOPERM x\r\n", "-ERR operation not permitted\r\n"}) {
    Handshake handshake(with_password);
    ASSERT_TRUE(answer(handshake, reply).has_value()) << reply;
    EXPECT_EQ(handshake.command(), "AUTH");
  }
  const HandshakeOptions without;
  EXPECT_EQ(refused_at(without, "PING", "-NOAUTH x\r\n").code, Errc::auth_required);
  EXPECT_EQ(refused_at(without, "PING", "-ERR operation not permitted\r\n").code,
            Errc::auth_required);
  EXPECT_EQ(refused_at(without, "PING", "-NOPERM x\r\n").detail, "was taken");
  EXPECT_EQ(refused_at(without, "PING", "-LOADING x\r\n").code, Errc::loading);
  EXPECT_EQ(refused_at(without, "PING", "-MASTERDOWN x\r\n").code, Errc::no_master_link);
  EXPECT_EQ(refused_at(without, "PING", "-DENIED protected mode\r\n").code, Errc::refused);
  EXPECT_EQ(refused_at(without, "PING", ":1\r\n").code, Errc::protocol_error);
  EXPECT_EQ(refused_at(without, "PING", "HTTP/1.1 400 Bad Request\r\n").code, Errc::protocol_error);
}

TEST(Handshake, AnyErrorToAuthIsFatalAndNeverShowsThePassword) {
  HandshakeOptions options;
  options.password = "hunter2";
  EXPECT_EQ(refused_at(options, "AUTH", "-WRONGPASS x\r\n").code, Errc::auth_failed);
  EXPECT_EQ(refused_at(options, "AUTH", "-ERR invalid password\r\n").code, Errc::auth_failed);
  EXPECT_EQ(refused_at(options, "AUTH", "-LOADING x\r\n").code, Errc::loading);
  EXPECT_EQ(refused_at(options, "AUTH", "$3\r\n").code, Errc::protocol_error);
  const Error error = refused_at(
      options, "AUTH", "-ERR unknown command `AUTH`, with args beginning with: `hunter2`, \r\n");
  EXPECT_EQ(error.code, Errc::auth_failed);
  EXPECT_EQ(error.detail, "AUTH: ERR unknown command `AUTH`");
}

TEST(Handshake, ReplconfPassesOverWhatAnOldServerDoesNotKnow) {
  const HandshakeOptions options;
  for (std::string_view command :
       {"REPLCONF listening-port", "REPLCONF capa", "REPLCONF version", "REPLCONF rdb-only"}) {
    SCOPED_TRACE(command);
    EXPECT_EQ(refused_at(options, command, "-ERR Unrecognized REPLCONF option: x\r\n").detail,
              "was taken");
    EXPECT_EQ(refused_at(options, command, "-ERR unknown command 'REPLCONF'\r\n").detail,
              "was taken");
    EXPECT_EQ(refused_at(options, command, "-NOAUTH x\r\n").code, Errc::auth_required);
    EXPECT_EQ(refused_at(options, command, "-NOPERM x\r\n").code, Errc::no_permission);
    EXPECT_EQ(refused_at(options, command, "-LOADING x\r\n").code, Errc::loading);
    EXPECT_EQ(refused_at(options, command, "$1\r\n").code, Errc::protocol_error);
  }
}

TEST(Handshake, PsyncGivesEachRefusalItsCause) {
  const std::pair<std::string_view, Errc> cases[] = {
      {"-NOMASTERLINK Can't SYNC while not connected with my master\r\n", Errc::no_master_link},
      {"-LOADING Redis is loading the dataset in memory\r\n", Errc::loading},
      {"-NOPERM this user has no permissions to run the 'psync' command\r\n", Errc::no_permission},
      {"-NOAUTH Authentication required.\r\n", Errc::auth_required},
      {"-ERR unknown command 'PSYNC', with args beginning with: '?'\r\n", Errc::command_unknown},
      {"-ERR BGSAVE failed, replication can't continue\r\n", Errc::save_failed},
      {"-ERR SYNC and PSYNC are invalid with pending output\r\n", Errc::refused},
      {"+CONTINUE\r\n", Errc::protocol_error},
      {"+RDBCHANNELSYNC 12\r\n", Errc::protocol_error},
      {"+DUALCHANNELSYNC\r\n", Errc::protocol_error},
      {"+OK\r\n", Errc::protocol_error},
  };
  for (const auto& [reply, code] : cases) {
    EXPECT_EQ(refused_at(HandshakeOptions{}, "PSYNC", reply).code, code) << reply;
  }
}

TEST(Handshake, MatchesTheWholeOfFullresync) {
  for (const std::string& line :
       {"+FULLRESYNC " + replid, "+FULLRESYNC " + replid + " ", "+FULLRESYNC " + replid + " x",
        "+FULLRESYNC " + replid + " 1 2", "+FULLRESYNC " + replid + " -1",
        "+FULLRESYNC " + replid + "a 1", "+FULLRESYNC " + replid.substr(1) + " 11",
        "+FULLRESYNC " + std::string(40, 'g') + " 1", "+FULLRESYNCx " + replid + " 1",
        "+FULLRESYNC " + replid + " 99999999999999999999"}) {
    EXPECT_EQ(refused_at(HandshakeOptions{}, "PSYNC", line + "\r\n").code, Errc::protocol_error)
        << line;
  }
}

TEST(Handshake, BoundsALineAndRefusesAReplyNobodyAskedFor) {
  Handshake endless(HandshakeOptions{});
  endless.on_sent();
  const std::string line(Handshake::line_bytes_max + 1, '+');
  EXPECT_EQ(endless.feed(bytes(line)).error().code, Errc::reply_too_large);

  Handshake early(HandshakeOptions{});
  EXPECT_EQ(early.feed(bytes("+PONG\r\n")).error().code, Errc::protocol_error);
}

TEST(Handshake, GoesOnWhereAnEarlierOneWas) {
  HandshakeOptions options;
  options.resume = FullResync{.replid = replid, .offset = 41};
  const std::string other(40, 'b');
  for (const std::string& reply : {std::string("+CONTINUE\r\n"), "+CONTINUE " + other + "\r\n"}) {
    Handshake handshake(options);
    advance_to(handshake, "PSYNC");
    EXPECT_EQ(handshake.to_send(), encode_command({"PSYNC", replid, "42"}));
    ASSERT_TRUE(answer(handshake, reply).has_value());
    EXPECT_TRUE(handshake.done());
    EXPECT_TRUE(handshake.continues());
    EXPECT_EQ(handshake.granted().replid, reply.size() > 20 ? other : replid);
    EXPECT_EQ(handshake.granted().offset, 41u);
  }
  Handshake lost(options);
  advance_to(lost, "PSYNC");
  ASSERT_TRUE(answer(lost, "+FULLRESYNC " + other + " 7\r\n").has_value());
  EXPECT_TRUE(lost.done());
  EXPECT_FALSE(lost.continues());
}

TEST(Handshake, TakesNoContinueThatWasNotAskedFor) {
  EXPECT_EQ(refused_at({}, "PSYNC", "+CONTINUE\r\n").code, Errc::protocol_error);
}

}  // namespace
}  // namespace sluice::net
