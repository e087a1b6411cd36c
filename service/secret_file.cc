#include "service/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "service/descriptor.h"

namespace sluice::service {
namespace {

std::unexpected<Refusal> refuse(const std::filesystem::path& path, const std::string& what,
                                std::string instead) {
  return std::unexpected(
      Refusal{.what = path.string() + ": " + what, .instead = std::move(instead)});
}

std::unexpected<Refusal> refuse_unreadable(const std::filesystem::path& path) {
  const std::string why = std::generic_category().message(errno);
  return refuse(path, why, "name a file that the service can read");
}

Setting<void> check_rights(const Descriptor& file, const std::filesystem::path& path,
                           bool is_credential) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return refuse_unreadable(path);
  const bool is_root_fine = is_credential && status.st_uid == 0;
  if (status.st_uid != ::geteuid() && !is_root_fine)
    return refuse(path, "is owned by another user, who could have made it", "chown it");
  const mode_t others = is_credential ? S_IRWXO : (S_IRWXG | S_IRWXO);
  if ((status.st_mode & others) != 0)
    return refuse(path, "can be read or written by others", "chmod 600 it");
  return {};
}

}  // namespace

std::filesystem::path FilePlaces::file(const std::string& path) const {
  const auto normal = (directory / path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

std::filesystem::path FilePlaces::secret(const std::string& path) const {
  return credentials ? *credentials / path : file(path);
}

bool FilePlaces::is_credential(const std::filesystem::path& path) const {
  if (!credentials) return false;
  const auto inside = path.lexically_normal().lexically_relative(credentials->lexically_normal());
  return !inside.empty() && *inside.begin() != "..";
}

Setting<std::string> read_secret(const FilePlaces& places, const std::string& path) {
  constexpr std::size_t bytes_max = 1 << 20;
  const std::filesystem::path place = places.secret(path);
  const Descriptor file(::open(place.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return refuse_unreadable(place);
  if (auto rights = check_rights(file, place, places.is_credential(place)); !rights)
    return std::unexpected(rights.error());
  std::string text;
  std::array<char, 4096> part;
  while (text.size() <= bytes_max) {
    const auto size = ::read(file.get(), part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return refuse_unreadable(place);
    if (size == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
  return refuse(place, "is longer than 1 MiB", "name the file of a secret");
}

Setting<std::string> read_secret_line(const FilePlaces& places, const std::string& path) {
  auto text = read_secret(places, path);
  if (!text) return text;
  text->resize(std::min(text->find('\n'), text->size()));
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty())
    return refuse(places.secret(path), "its first line is empty", "write the secret there");
  return text;
}

}  // namespace sluice::service
