#include "storage/error.h"

namespace sluice::storage {
namespace {

class Category final : public std::error_category {
  [[nodiscard]] const char* name() const noexcept override { return "sluice.storage"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {  // no default: -Wswitch finds a value without a message
      case Errc::placeholder: return "placeholder";
    }
    return "unknown error";
  }
};

}  // namespace

std::error_code make_error_code(Errc code) noexcept {
  static const Category category;
  return {static_cast<int>(code), category};
}

}  // namespace sluice::storage
