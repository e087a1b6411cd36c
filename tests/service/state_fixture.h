#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "service/database.h"

namespace sluice::service {

/// A state file of its own, gone at the end.
class StateFixture : public testing::Test {
 protected:
  StateFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-state-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    database_ = open();
  }
  ~StateFixture() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::unique_ptr<Database> open() const {
    auto opened = Database::open((folder_ / "service.db").string());
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  /// As a start after a kill finds it.
  void reopen() {
    database_.reset();
    database_ = open();
  }

  std::filesystem::path folder_;
  std::unique_ptr<Database> database_;
};

}  // namespace sluice::service
