#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "storage/layout.h"
#include "storage/pack_writer.h"
#include "tests/storage/chain_fixture.h"

namespace sluice::storage {

namespace fs = std::filesystem;

template <class T>
T struct_at(const Bytes& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void put_at(Bytes& bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

inline std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Encrypted : public Chains {
 protected:
  explicit Encrypted(IoOptions io = {.depth = 4, .block_bytes = 64 << 10, .decorate = {}})
      : Chains(std::move(io), "passphrase") {}

  [[nodiscard]] fs::path folder(const BackupKey& key) const {
    return root_ / "instances" / key.instance / key.id;
  }
  /// The first pack of the backup's own.
  [[nodiscard]] fs::path pack_of(const BackupKey& key) const {
    const PackId id{.backup = *parse_backup_id(key.id), .sequence = 0};
    return root_ / Repository::pack_name(id);
  }
  [[nodiscard]] std::unique_ptr<Repository> open_locked() const {
    auto opened = Repository::open(root_, {.keyless = true, .io = {}, .on_step = {}});
    EXPECT_OK(opened);
    return *std::move(opened);
  }
  /// What reading the first chunk says.
  [[nodiscard]] Error error_of_first_chunk(const BackupKey& key) const {
    const auto backup = repository_->open_backup(key);
    EXPECT_OK(backup);
    auto reader = ChunkReader::open(*repository_, *backup);
    EXPECT_OK(reader);
    const auto chunk = (*reader)->next();
    EXPECT_FALSE(chunk);
    return chunk ? Error{} : chunk.error();
  }
  [[nodiscard]] std::vector<Error> errors_of_check(const BackupKey& key,
                                                   CheckLevel level = CheckLevel::decoded) const {
    std::vector<Error> errors;
    const auto backup = repository_->open_backup(key);
    EXPECT_OK(backup);
    EXPECT_OK(repository_->check_backup(
        *backup, [&](const Problem& problem) { errors.push_back(problem.error); },
        {.level = level}));
    return errors;
  }
  /// Says that the pack is that of `key`, with a checksum that fits.
  static void claim(Bytes& pack, const BackupKey& key) {
    auto header = struct_at<format::PackHeader>(pack, 0);
    const BackupId id = *parse_backup_id(key.id);
    header.backup_time_ms = id.time_ms;
    header.backup_random = id.random;
    header.checksum = checksum_of(header);
    put_at(pack, 0, header);
  }
};

}  // namespace sluice::storage

#define EXPECT_NAMES(error, expected_code, name)                               \
  do {                                                                         \
    const Error shown = (error);                                               \
    EXPECT_EQ(shown.code, expected_code) << to_string(shown);                  \
    EXPECT_NE(shown.detail.find(name), std::string::npos) << to_string(shown); \
  } while (false)
