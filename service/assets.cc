#include "service/assets.h"

#include <algorithm>
#include <array>

#include "assets.inc"  // made by embed.cmake

namespace sluice::service {
namespace {

constexpr std::string_view openapi_path = "/openapi.json";

std::string_view type_of(std::string_view path) {
  if (path.ends_with(".html")) return "text/html; charset=utf-8";
  if (path.ends_with(".css")) return "text/css; charset=utf-8";
  if (path.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (path.ends_with(".svg")) return "image/svg+xml";
  return "application/json";
}

Asset entry(std::string_view path, const char* begin, const char* end) {
  return {.path = path, .type = type_of(path), .bytes = {begin, end}};
}

const auto& assets() {
  static const std::array all{SLUICE_ASSETS};
  return all;
}

}  // namespace

const Asset* find_asset(std::string_view path) {
  const auto found = std::ranges::find(assets(), path, &Asset::path);
  if (found == assets().end()) return nullptr;
  return &*found;
}

std::string_view openapi_document() {
  const Asset* asset = find_asset(openapi_path);
  return asset == nullptr ? std::string_view("{}") : asset->bytes;
}

}  // namespace sluice::service
