#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "storage/repository.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {

namespace fs = std::filesystem;

inline constexpr int died_at_step = 42;

/// A repository whose writers die, and the question whether all that it lists is whole.
class Crash : public testing::Test {
 protected:
  Result<std::unique_ptr<Repository>> open(std::string_view die_at = "") const {
    OpenOptions options{.create_if_missing = true,
                        .io = {.depth = 4, .block_bytes = 64 << 10, .decorate = {}},
                        .keep_trash = false,
                        .on_step = {}};
    if (!die_at.empty()) {
      options.on_step = [die_at](std::string_view step) {
        if (step == die_at) ::_exit(died_at_step);
      };
    }
    return Repository::open(root_, std::move(options));
  }

  static Result<CommittedBackup> back_up(Repository& repository, std::string_view instance) {
    auto writer = repository.begin_backup(instance);
    if (!writer) return std::unexpected(writer.error());
    for (std::uint64_t i = 0; i < 10; ++i) {
      if (auto ok = (*writer)->append_chunk(random_bytes(100'000, i), {}); !ok)
        return std::unexpected(ok.error());
    }
    return (*writer)->commit("{}");
  }

  /// All that is listed is whole. Returns how many that is.
  std::size_t check_all_listed() const {
    const auto repository = open();
    EXPECT_OK(repository);
    const auto listed = (*repository)->list();
    EXPECT_OK(listed);
    for (const BackupInfo& info : *listed) {
      EXPECT_FALSE(info.damage.has_value()) << to_string(*info.damage);
      const auto backup = (*repository)->open_backup(info.key);
      EXPECT_OK(backup);
      const auto checked = (*repository)->check_backup(*backup, [](const Problem& problem) {
        ADD_FAILURE() << to_string(problem.error);
      });
      EXPECT_OK(checked);
    }
    return listed->size();
  }

  ScratchDirectory scratch_;
  fs::path root_ = scratch_.path() / "r";
};

}  // namespace sluice::storage
