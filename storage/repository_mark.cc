#include "storage/repository_mark.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "storage/checksum.h"
#include "storage/format.h"
#include "storage/sealed_text.h"

namespace sluice::storage {
namespace {

namespace json = boost::json;

constexpr std::string_view magic = "sluice-repository";
constexpr std::string_view no_cipher = "none";
constexpr std::array<std::string_view, operation_count> operation_names{"read", "write", "gc",
                                                                        "check"};

std::unexpected<Error> corrupt(std::string_view object, std::string_view what) {
  return std::unexpected(
      Error{.code = Errc::corrupt, .detail = fmt::format("{}: {}", object, what)});
}

Result<std::vector<std::string>> parse_features(const json::object& required,
                                                std::string_view operation,
                                                std::string_view object) {
  std::vector<std::string> features;
  const json::value* found = required.if_contains(operation);
  if (found == nullptr) return features;
  const json::array* list = found->if_array();
  if (list == nullptr) return corrupt(object, "required features are not a list");
  for (const json::value& feature : *list) {
    const json::string* name = feature.if_string();
    if (name == nullptr) return corrupt(object, "a required feature is not a string");
    features.emplace_back(*name);
  }
  return features;
}

/// A number of 0 to 65535, or -1.
int version_number(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  if (value == nullptr) return -1;
  if (value->is_int64() && value->get_int64() >= 0 && value->get_int64() <= 65535)
    return static_cast<int>(value->get_int64());
  return -1;
}

/// Text of a field, empty when it is none.
std::string_view text_field(const json::object& root, std::string_view field) {
  const json::value* value = root.if_contains(field);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
}

Result<void> parse_version(const json::object& root, std::string_view object,
                           RepositoryMark& mark) {
  if (text_field(root, "magic") != magic) return corrupt(object, "not the mark of a repository");
  const int major = version_number(root, "format_major");
  const int minor = version_number(root, "format_minor");
  if (major < 0 || minor < 0) return corrupt(object, "no format version");
  if (major != format::version_major) {
    return std::unexpected(
        Error{.code = Errc::unsupported_format,
              .detail = fmt::format("{}: format {}.{}, this program reads {}.x", object, major,
                                    minor, format::version_major)});
  }
  if (minor < format::version_minor_oldest) {
    return std::unexpected(
        Error{.code = Errc::unsupported_format,
              .detail = fmt::format("{}: made by an older sluice (format {}.{}), which this one no "
                                    "longer reads; export its backups with that version",
                                    object, major, minor)});
  }
  mark.major = static_cast<unsigned>(major);
  mark.minor = static_cast<unsigned>(minor);
  return {};
}

Result<void> parse_secret(const json::object& root, std::string_view object, RepositoryMark& mark) {
  const json::value* cipher = root.if_contains("cipher");
  if (cipher == nullptr || !cipher->is_string()) return corrupt(object, "no cipher");
  const std::string_view cipher_name(cipher->get_string());
  mark.encrypted = cipher_name == format::cipher_name;
  if (!mark.encrypted && cipher_name != no_cipher) {
    return std::unexpected(Error{.code = Errc::unsupported_feature,
                                 .detail = fmt::format("{}: cipher \"{}\"", object, cipher_name)});
  }
  std::array<std::byte, 16> id{};
  if (!from_hex(text_field(root, "repository_id"), id)) return corrupt(object, "no repository id");
  mark.repository_id = to_hex(id);
  if (!mark.encrypted && !from_hex(text_field(root, "secret"), mark.secret))
    return corrupt(object, "no secret");
  if (mark.encrypted && !from_hex(text_field(root, "key_check"), mark.key_check))
    return corrupt(object, "no key check");
  return {};
}

}  // namespace

std::string_view to_string(Operation operation) noexcept {
  return operation_names[static_cast<std::size_t>(operation)];
}

RepositoryCipher::Id RepositoryMark::binary_id() const noexcept {
  RepositoryCipher::Id id{};
  (void)from_hex(repository_id, id);  // checked at parse
  return id;
}

std::string serialize(const RepositoryMark& mark) {
  json::object required;
  for (std::size_t i = 0; i < operation_count; ++i) {
    json::array list;
    for (const std::string& feature : mark.required[i]) list.emplace_back(feature);
    required[operation_names[i]] = std::move(list);
  }
  const json::object root{{"magic", magic},
                          {"repository_id", mark.repository_id},
                          {"format_major", mark.major},
                          {"format_minor", mark.minor},
                          {mark.encrypted ? "key_check" : "secret",
                           mark.encrypted ? to_hex(mark.key_check) : to_hex(mark.secret)},
                          {"cipher", mark.encrypted ? format::cipher_name : no_cipher},
                          {"required_features", std::move(required)}};
  return seal(json::serialize(root));
}

Result<RepositoryMark> parse_mark(std::string_view sealed, std::string_view object) {
  const auto text = unseal(sealed, object);
  if (!text) return std::unexpected(text.error());
  boost::system::error_code bad;
  const json::value root_value = json::parse(*text, bad);
  const json::object* root = bad ? nullptr : root_value.if_object();
  if (root == nullptr) return corrupt(object, "not a JSON object");

  RepositoryMark mark;
  if (auto ok = parse_version(*root, object, mark); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = parse_secret(*root, object, mark); !ok)
    return std::unexpected(std::move(ok.error()));
  const json::value* found = root->if_contains("required_features");
  if (found == nullptr || !found->is_object()) return corrupt(object, "no required features");
  for (std::size_t i = 0; i < operation_count; ++i) {
    auto features = parse_features(found->get_object(), operation_names[i], object);
    if (!features) return std::unexpected(std::move(features.error()));
    mark.required[i] = *std::move(features);
  }
  return mark;
}

bool is_damage(const Error& error) noexcept {
  return error.code != Errc::unsupported_format && error.code != Errc::unsupported_feature;
}

Result<void> check_features(const RepositoryMark& mark, Operation operation,
                            std::string_view object) {
  const auto& required = mark.required[static_cast<std::size_t>(operation)];
  if (required.empty()) return {};  // this version knows no feature by name yet
  return std::unexpected(
      Error{.code = Errc::unsupported_feature,
            .detail = fmt::format("{}: to {} it, \"{}\" is required", object, to_string(operation),
                                  fmt::join(required, "\", \""))});
}

}  // namespace sluice::storage
