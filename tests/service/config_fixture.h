#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "service/config.h"

namespace sluice::service {

/// A directory with a configuration, its files and environment.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "sluice-config-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    ::unsetenv("CREDENTIALS_DIRECTORY");
  }
  ~ConfigTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }

  std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) {
    const auto path = directory_ / name;
    std::ofstream(path, std::ios::binary) << text;
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
    return path.string();
  }
  void set(const std::string& name, const std::string& value) {
    names_.push_back(name);
    ::setenv(name.c_str(), value.c_str(), 1);
  }

  Result<Config> read(const std::string& text) { return read_config(write("sluice.toml", text)); }
  /// What is good. Fails the test, with the mistakes, when it is not.
  Config good(const std::string& text) {
    auto config = read(text);
    if (config) return *std::move(config);
    ADD_FAILURE() << config.error().message;
    return {};
  }
  /// The mistakes without the name of the file: "12: what: what to write instead".
  std::vector<std::string> mistakes(const std::string& text) {
    const auto config = read(text);
    if (config) return {};
    EXPECT_EQ(config.error().code, "bad_config");
    std::vector<std::string> lines;
    std::istringstream message(config.error().message);
    const std::string prefix = path("sluice.toml") + ":";
    for (std::string line; std::getline(message, line);) {
      EXPECT_TRUE(line.starts_with(prefix)) << line;
      lines.push_back(line.substr(std::min(prefix.size(), line.size())));
    }
    return lines;
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_ / name).string();
  }

 private:
  std::filesystem::path directory_;
  std::vector<std::string> names_;
};

}  // namespace sluice::service
