#include "net/replica_handshake.h"

#include <gtest/gtest.h>

#include "net/resp.h"

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Feeds all of it; the replies, then how it stands.
std::string dialogue(ReplicaHandshake& handshake, std::string_view input) {
  const auto taken = handshake.feed(bytes(input));
  std::string seen = handshake.take_replies();
  if (!taken) return seen + "(" + taken.error().detail + ")";
  if (*taken != input.size()) seen += "(left " + std::string(input.substr(*taken)) + ")";
  return handshake.done() ? seen + "(done)" : seen;
}

std::string ask(ReplicaHandshake& handshake, std::initializer_list<std::string_view> command) {
  return dialogue(handshake, encode_command(command));
}

TEST(ReplicaHandshake, TalksAsARedis40Does) {
  ReplicaHandshake handshake(std::nullopt);
  EXPECT_EQ(dialogue(handshake, "PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(dialogue(handshake, "AUTH secret\r\n"), "+OK\r\n");
  EXPECT_EQ(dialogue(handshake, "REPLCONF listening-port 6380\r\n"), "+OK\r\n");
  EXPECT_EQ(dialogue(handshake, "REPLCONF capa eof capa psync2\r\n"), "+OK\r\n");
  EXPECT_EQ(dialogue(handshake, "\n"), "");
  EXPECT_EQ(dialogue(handshake, "PSYNC ? -1\r\n"), "(done)");
  EXPECT_EQ(handshake.peer().listening_port, 6380);
  EXPECT_EQ(handshake.peer().replid, "?");
  EXPECT_TRUE(handshake.peer().by_psync);
}

TEST(ReplicaHandshake, TalksAsAValkeyDoesWhateverTheCut) {
  const std::string id(40, 'b');
  const std::string input =
      encode_command({"ping"}) + encode_command({"auth", "user", "pw"}) +
      encode_command({"replconf", "listening-port", "7000"}) +
      encode_command({"replconf", "ip-address", "10.0.0.1"}) +
      encode_command({"replconf", "capa", "eof", "capa", "psync2", "capa", "dual-channel"}) +
      encode_command({"replconf", "version", "9.1.0"}) + encode_command({"replconf", "odd"}) +
      encode_command({"hello", "3"}) + encode_command({"psync", id, "101"});
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    SCOPED_TRACE("cut at byte " + std::to_string(cut));
    ReplicaHandshake handshake(std::nullopt);
    std::string seen = dialogue(handshake, std::string_view(input).substr(0, cut));
    if (cut < input.size()) seen += dialogue(handshake, std::string_view(input).substr(cut));
    EXPECT_EQ(seen,
              "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n-ERR unknown command\r\n(done)");
    EXPECT_EQ(handshake.peer().version, "9.1.0");
    EXPECT_EQ(handshake.peer().replid, id);
  }
}

TEST(ReplicaHandshake, LeavesWhatFollowsTheRequestToTheCaller) {
  ReplicaHandshake handshake(std::nullopt);
  EXPECT_EQ(dialogue(handshake, "SYNC\r\n\n\n"), "(left \n\n)(done)");
  EXPECT_FALSE(handshake.peer().by_psync);
}

TEST(ReplicaHandshake, AnswersNothingBeforeThePasswordIsRight) {
  ReplicaHandshake handshake("secret");
  const std::string no = "-NOAUTH Authentication required.\r\n";
  EXPECT_EQ(ask(handshake, {"PING"}), no);
  EXPECT_EQ(ask(handshake, {"PSYNC", "?", "-1"}), no);
  EXPECT_EQ(ask(handshake, {"SYNC"}), no);
  EXPECT_EQ(ask(handshake, {"AUTH", "default", "secret"}), "+OK\r\n");
  EXPECT_EQ(ask(handshake, {"PSYNC", "?", "-1"}), "(done)");
}

TEST(ReplicaHandshake, EndsWithAWrongPassword) {
  for (const std::string_view wrong : {"", "secre", "secret1", "Secret"}) {
    SCOPED_TRACE(wrong);
    ReplicaHandshake handshake("secret");
    EXPECT_EQ(
        ask(handshake, {"AUTH", wrong}),
        "-WRONGPASS invalid username-password pair\r\n(a replica came with a wrong password)");
    EXPECT_EQ(handshake.feed(bytes("AUTH secret\r\n")).error().code, Errc::auth_failed);
  }
  ReplicaHandshake empty("");
  EXPECT_EQ(ask(empty, {"AUTH"}).substr(0, 10), "-WRONGPASS");
}

TEST(ReplicaHandshake, DoesNotTalkForEver) {
  ReplicaHandshake handshake(std::nullopt);
  std::string input;
  for (std::size_t i = 0; i <= ReplicaHandshake::commands_max; ++i) input += "PING\r\n";
  EXPECT_EQ(handshake.feed(bytes(input)).error().code, Errc::protocol_error);
}

TEST(ReplicaHandshake, NeverAnswersAnAck) {
  ReplicaHandshake handshake(std::nullopt);
  EXPECT_EQ(ask(handshake, {"REPLCONF", "ACK", "0"}), "");
}

}  // namespace
}  // namespace sluice::net
