#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "rdb/crc64.h"

namespace sluice::engine {

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// A LEN in its 32-bit form.
inline std::string rdb_length(std::uint32_t value) {
  std::string text = "\x80";
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

inline std::string rdb_string(std::string_view text) {
  return rdb_length(static_cast<std::uint32_t>(text.size())) + std::string(text);
}

/// Opcode 252 before a key.
inline std::string rdb_expiry(std::int64_t at_ms) {
  return "\xfc" + little_endian(static_cast<std::uint64_t>(at_ms), 8);
}

/// A key of type string.
inline std::string rdb_record(std::string_view key, std::string_view value) {
  return std::string(1, '\0') + rdb_string(key) + rdb_string(value);
}

/// A whole stream of version 10 around `body`, with its checksum.
inline std::string rdb_stream(std::string_view body) {
  std::string text = "REDIS0010" + std::string(body) + "\xff";
  return text + little_endian(rdb::crc64(0, bytes(text)), 8);
}

inline std::string read_corpus(const std::string& name) {
  std::ifstream file(std::string(SLUICE_TEST_DATA "/corpus/") + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sluice::engine
