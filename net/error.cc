#include "net/error.h"

namespace sluice::net {
namespace {

class Category final : public std::error_category {
  [[nodiscard]] const char* name() const noexcept override { return "sluice.net"; }
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

}  // namespace sluice::net
