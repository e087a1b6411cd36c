#include "engine/repository_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "engine/child_process.h"
#include "storage/file.h"
#include "storage/secret.h"

namespace sluice::engine {
namespace {

using storage::KeyKind;
using storage::KeyMaterial;
using storage::SecretBytes;

std::unexpected<Error> refuse(std::string_view what, std::string_view why) {
  return std::unexpected(
      Error{.stage = Stage::usage, .code = "bad_key", .message = fmt::format("{}: {}", what, why)});
}

/// Whether nobody else can read the file or put another in its place.
Result<void> check_file(const storage::Fd& file, const std::string& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return refuse(path, std::generic_category().message(errno));
  if (status.st_uid != ::geteuid())
    return refuse(path, "is owned by another user, who could have made it; chown it");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return refuse(path, "can be read or written by others; chmod 600 it");
  return {};
}

/// All of the file, or of a pipe, up to what a key may be.
Result<SecretBytes> read_secret_file(const std::string& path) {
  const storage::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return refuse(path, std::generic_category().message(errno));
  if (auto ok = check_file(file, path); !ok) return std::unexpected(ok.error());
  std::vector<std::byte> bytes(KeyMaterial::bytes_max + 1);  // once: what grows leaves copies
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto part = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return refuse(path, std::generic_category().message(errno));
    if (part == 0) break;
    size += static_cast<std::size_t>(part);
  }
  SecretBytes secret(std::span<const std::byte>(bytes).first(size));
  storage::wipe(bytes);
  if (size > KeyMaterial::bytes_max) return refuse(path, "is longer than 1 MiB");
  return secret;
}

std::span<const std::byte> first_line(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return std::as_bytes(std::span(text));
}

Result<KeyMaterial> from_file(const std::string& path, KeyKind kind) {
  auto secret = read_secret_file(path);
  if (!secret) return std::unexpected(secret.error());
  if (kind == KeyKind::passphrase) secret = SecretBytes(first_line(secret->bytes()));
  const std::size_t least = kind == KeyKind::key_file ? KeyMaterial::key_file_bytes_min : 1;
  if (secret->bytes().size() < least)
    return refuse(path, kind == KeyKind::key_file ? "a key file has 32 bytes or more"
                                                  : "its first line is empty");
  return KeyMaterial{.kind = kind, .bytes = *std::move(secret)};
}

Result<KeyMaterial> from_command(const std::string& command) {
  auto ran = run_child({"/bin/sh", "-c", command}, {}, {});
  if (!ran) return std::unexpected(ran.error());
  if (ran->exit_code != 0)
    return refuse("the key command", fmt::format("ended with exit code {}", ran->exit_code));
  KeyMaterial material{.kind = KeyKind::command,
                       .bytes = SecretBytes(first_line(std::as_bytes(std::span(ran->out))))};
  storage::wipe(std::as_writable_bytes(std::span(ran->out)));
  if (material.bytes.bytes().empty()) return refuse("the key command", "printed nothing");
  return material;
}

}  // namespace

Result<KeyMaterial> read_key(const RepositoryKey& key) {
  if (!key.passphrase_file.empty()) return from_file(key.passphrase_file, KeyKind::passphrase);
  if (!key.key_file.empty()) return from_file(key.key_file, KeyKind::key_file);
  if (!key.command.empty()) return from_command(key.command);
  if (key.key_bytes)
    return KeyMaterial{.kind = KeyKind::key_file, .bytes = SecretBytes(*key.key_bytes)};
  if (!key.passphrase || key.passphrase->empty()) return refuse("the passphrase", "is empty");
  return KeyMaterial{.kind = KeyKind::passphrase, .bytes = SecretBytes(*key.passphrase)};
}

Result<storage::KeySource> key_source(const RepositoryKey& key) {
  if (!key.is_given()) return storage::KeySource();
  auto material = read_key(key);
  if (!material) return std::unexpected(material.error());
  const auto kept = std::make_shared<const KeyMaterial>(*std::move(material));
  return storage::KeySource([kept]() -> storage::Result<KeyMaterial> {
    return KeyMaterial{.kind = kept->kind, .bytes = SecretBytes(kept->bytes.bytes())};
  });
}

}  // namespace sluice::engine
