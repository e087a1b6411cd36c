#include "net/replica_handshake.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <utility>

namespace sluice::net {
namespace {

using Hash = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Hash hash_of(std::string_view text) {
  Hash hash{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

}  // namespace

// By their hashes: not even the length of the secret shows in the time.
bool same_secret(std::string_view one, std::string_view other) noexcept {
  const Hash left = hash_of(one);
  const Hash right = hash_of(other);
  return ::CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

ReplicaHandshake::ReplicaHandshake(std::optional<std::string> password)
    : password_(std::move(password)), authenticated_(!password_) {}

Result<std::size_t> ReplicaHandshake::feed(std::span<const std::byte> input) {
  if (failure_) return std::unexpected(*failure_);
  const std::size_t size = input.size();
  while (!input.empty() && !done_) {
    const auto taken = parser_.feed(input);
    if (!taken) {
      failure_ = taken.error();
      return std::unexpected(*failure_);
    }
    input = input.subspan(*taken);
    if (!parser_.done()) continue;
    if (auto handled = on_command(parser_.take()); !handled) {
      failure_ = std::move(handled.error());
      return std::unexpected(*failure_);
    }
  }
  return size - input.size();
}

std::string ReplicaHandshake::take_replies() { return std::exchange(replies_, {}); }

Result<void> ReplicaHandshake::on_command(const CommandParser::Command& command) {
  const std::string& name = command.front();
  if (++commands_ > commands_max) {
    return std::unexpected(Error{.code = Errc::protocol_error,
                                 .detail = "too many commands for the handshake of a replica"});
  }
  if (same_word(name, "AUTH")) return on_auth(command);
  if (!authenticated_) {
    replies_ += "-NOAUTH Authentication required.\r\n";
  } else if (same_word(name, "PING")) {
    replies_ += "+PONG\r\n";
  } else if (same_word(name, "REPLCONF")) {
    on_replconf(command);
  } else if (same_word(name, "PSYNC") || same_word(name, "SYNC")) {
    on_sync(command);
  } else {
    replies_ += "-ERR unknown command\r\n";
  }
  return {};
}

Result<void> ReplicaHandshake::on_auth(const CommandParser::Command& command) {
  const bool shaped = command.size() == 2 || command.size() == 3;
  if (shaped && (!password_ || same_secret(command.back(), *password_))) {
    authenticated_ = true;
    replies_ += "+OK\r\n";
    return {};
  }
  replies_ += "-WRONGPASS invalid username-password pair\r\n";
  return std::unexpected(
      Error{.code = Errc::auth_failed, .detail = "a replica came with a wrong password"});
}

void ReplicaHandshake::on_replconf(const CommandParser::Command& command) {
  if (command.size() >= 2 && same_word(command[1], "ACK")) return;  // is never answered
  for (std::size_t i = 1; i + 1 < command.size(); i += 2) {
    const std::string& value = command[i + 1];
    if (same_word(command[i], "listening-port")) {
      std::from_chars(value.data(), value.data() + value.size(), peer_.listening_port);
    } else if (same_word(command[i], "version")) {
      peer_.version = printable(value);
    }
  }
  replies_ += "+OK\r\n";
}

void ReplicaHandshake::on_sync(const CommandParser::Command& command) {
  peer_.by_psync = same_word(command.front(), "PSYNC");
  if (command.size() >= 2) peer_.replid = printable(command[1]);
  done_ = true;
}

}  // namespace sluice::net
