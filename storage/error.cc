#include "storage/error.h"

#include <fmt/format.h>

namespace sluice::storage {
namespace {

class Category final : public std::error_category {
  [[nodiscard]] const char* name() const noexcept override { return "sluice.storage"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {  // no default: -Wswitch finds a value without a message
      case Errc::not_a_repository: return "not a repository";
      case Errc::not_empty: return "the directory is not empty and is not a repository";
      case Errc::unsupported_format: return "written in a format that this program does not read";
      case Errc::unsupported_feature: return "needs a feature that this program does not have";
      case Errc::not_found: return "not found";
      case Errc::ambiguous: return "fits more than one backup";
      case Errc::bad_name: return "not a usable name";
      case Errc::corrupt: return "damaged";
      case Errc::truncated: return "cut short";
      case Errc::checksum_mismatch: return "checksum does not match";
      case Errc::busy: return "in use by another writer";
      case Errc::limit_exceeded: return "above the limit of the format";
      case Errc::io_unavailable: return "io_uring was asked for and cannot be used";
      case Errc::codec_failure: return "encoded bytes do not decode to what was given";
      case Errc::finished: return "the writer was already committed or abandoned";
      case Errc::exists: return "exists already";
      case Errc::changed: return "was replaced meanwhile";
      case Errc::fenced: return "was taken over by another, as its lease had run out";
      case Errc::pinned: return "is pinned";
      case Errc::implausible: return "much less is listed than was before";
      case Errc::key_needed: return "is encrypted, and no key was given";
      case Errc::wrong_key: return "no key slot opens with the key given";
      case Errc::not_authentic: return "was changed, swapped or encrypted with another key";
      case Errc::last_key: return "is the only key slot, which stays";
    }
    return "unknown error";
  }
};

}  // namespace

std::error_code make_error_code(Errc code) noexcept {
  static const Category category;
  return {static_cast<int>(code), category};
}

Error system_error(int error_number, std::string_view call, std::string_view object) {
  return {.code = std::error_code(error_number, std::system_category()),
          .detail = fmt::format("{} {}", call, object)};
}

std::string to_string(const Error& error) {
  return fmt::format("{}: {}", error.detail, error.code.message());
}

}  // namespace sluice::storage
