#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "service/config_parts.h"
#include "service/config_text.h"

namespace sluice::service {
namespace {

constexpr std::string_view uri_advice = "write uri = \"redis://HOST:6379\"";

/// A secret: the first line of the file that `key`_file names, or what `key` refers to.
std::optional<std::string> read_password(ConfigTable& table, const std::string& key) {
  const std::string file_key = key + "_file";
  const auto& places = table.reading().places();
  std::string raw;
  std::string path;
  const bool is_referred = table.read_raw(key, raw);
  const bool is_filed = table.read(file_key, path);
  if (is_referred && is_filed)
    table.refuse(key, "stands beside " + file_key, "leave one of them out");
  if (is_referred && !is_reference(raw)) {
    table.refuse(key, "is written out in the file",
                 fmt::format(R"(write {} = "FILE", or {} = "${{NAME}}" or "${{file:PATH}}")",
                             file_key, key));
    return std::nullopt;
  }
  if (!is_referred && !is_filed) return std::nullopt;
  auto secret = is_filed ? read_secret_line(places, path) : expand(raw, places);
  const std::string& read_key = is_filed ? file_key : key;
  if (!secret) {
    table.refuse(read_key, std::move(secret.error()));
    return std::nullopt;
  }
  if (secret->empty()) table.refuse(read_key, "is empty", "leave it out, or give the password");
  return *std::move(secret);
}

/// The URI without the password that a reference in it stands for, which goes to the address.
bool read_uri(ConfigTable& table, ServerAddress& address) {
  std::string raw;
  if (!table.read_raw("uri", raw)) {
    if (!table.has("uri")) table.refuse("", "uri is missing", std::string(uri_advice));
    return false;
  }
  const UriParts parts = split_password(raw);
  if (!parts.password.empty() && !is_reference(parts.password)) {
    table.refuse("uri", "a password is written out in it",
                 "leave it out and write password_file = \"FILE\", or ${NAME} in its place");
    return false;
  }
  if (raw.contains("sentinel-password=")) {
    table.refuse("uri", "the sentinels' password stands in it",
                 "leave it out and write sentinel_password_file = \"FILE\"");
    return false;
  }
  auto uri = expand(parts.uri, table.reading().places());
  auto password = expand(parts.password, table.reading().places());
  for (auto* part : {&uri, &password}) {
    if (*part) continue;
    table.refuse("uri", std::move(part->error()));
    return false;
  }
  address.uri = *std::move(uri);
  if (!password->empty()) address.password = *std::move(password);
  return true;
}

void read_passwords(ConfigTable& table, ServerAddress& address) {
  const bool is_given = address.password || has_password(address.uri);
  auto password = read_password(table, "password");
  if (password && is_given)
    table.refuse("uri", "has a password, and there is another one", "leave one of them out");
  if (password) address.password = std::move(password);
  address.sentinel_password = read_password(table, "sentinel_password");
}

void read_tls(ConfigTable& table, TlsSettings& tls) {
  read_file_path(table, "cacert", false, tls.cacert);
  read_file_path(table, "cert", false, tls.cert);
  read_file_path(table, "key", true, tls.key);
  table.read("sni", tls.sni);
  table.read("insecure", tls.insecure);
  if (tls.cert.empty() != tls.key.empty() && table.has("cert") != table.has("key"))
    table.refuse(table.has("cert") ? "cert" : "key", "stands alone", "write cert and key");
}

}  // namespace

void read_file_path(ConfigTable& table, std::string_view key, bool secret, std::string& into) {
  std::string path;
  if (!table.read(key, path)) return;
  const FilePlaces& places = table.reading().places();
  std::error_code ignored;
  const auto credential = places.secret(path);
  const auto found = std::filesystem::exists(credential, ignored) ? credential : places.file(path);
  if (secret) {
    auto read = read_secret(places, found.string());
    if (!read) table.refuse(key, std::move(read.error()));
  } else if (!std::filesystem::is_regular_file(found, ignored)) {
    table.refuse(key, "there is no file " + found.string(), "name one, in PEM");
  }
  into = found.string();
}

void read_server(ConfigTable& table, ServerAddress& address, std::string& shown) {
  constexpr std::int64_t second_ms = 1000;
  constexpr std::int64_t timeout_ms_max = 86'400 * second_ms;
  const bool is_read = read_uri(table, address);
  read_passwords(table, address);
  table.read("cluster", address.cluster);
  read_tls(table, address.tls);
  std::int64_t timeout_ms = address.timeout.count();
  table.read_duration("timeout", timeout_ms, second_ms, timeout_ms_max);
  address.timeout = std::chrono::milliseconds(timeout_ms);
  if (!is_read) return;
  auto display = display_address(address);
  if (display) {
    shown = *std::move(display);
    return;
  }
  std::string raw;
  table.read_raw("uri", raw);
  // What a reference stood for may be a secret, of which the reason could repeat a part.
  table.refuse(
      "uri",
      has_reference(raw) ? "what its ${…} stand for makes no address" : display.error().message,
      std::string(uri_advice));
}

}  // namespace sluice::service
