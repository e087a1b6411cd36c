#include "service/password.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <sstream>
#include <stdexcept>

#include "service/text.h"

namespace sluice::service {
namespace {

struct Cost {
  std::uint64_t n = 1 << 15;
  std::uint64_t r = 8;
  std::uint64_t p = 1;
};
constexpr std::uint64_t memory_max = 64ULL << 20;

std::string scrypt(const std::string& password, const std::string& salt, const Cost& cost) {
  std::array<unsigned char, 32> key{};
  if (EVP_PBE_scrypt(password.data(), password.size(),
                     reinterpret_cast<const unsigned char*>(salt.data()), salt.size(), cost.n,
                     cost.r, cost.p, memory_max, key.data(), key.size()) != 1)
    throw std::runtime_error("scrypt failed");
  return to_hex({reinterpret_cast<const char*>(key.data()), key.size()});
}

}  // namespace

std::string hash_password(const std::string& password) {
  const Cost cost;
  const std::string salt = random_hex(16);
  return fmt::format("scrypt${}${}${}${}${}", cost.n, cost.r, cost.p, salt,
                     scrypt(password, salt, cost));
}

bool is_password(const std::string& password, const std::string& hash) {
  std::istringstream fields(hash);
  std::array<std::string, 6> field;
  for (std::string& text : field) std::getline(fields, text, '$');
  if (field[0] != "scrypt") return false;
  const Cost cost{
      .n = std::stoull(field[1]), .r = std::stoull(field[2]), .p = std::stoull(field[3])};
  return equal_secrets(scrypt(password, field[4], cost), field[5]);
}

}  // namespace sluice::service
