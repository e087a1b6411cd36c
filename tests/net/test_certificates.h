#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace sluice::net {

/// A directory of certificates made for one test and removed with it.
///
/// ca.pem signs server.pem (DNS:localhost, IP:127.0.0.1) and client.pem; other-ca.pem signs
/// nothing. Keys are in server.key and client.key.
class TestCertificates {
 public:
  TestCertificates();
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_ / name).string();
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace sluice::net
