#include "storage/layout.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "storage/checksum.h"
#include "storage/file_lock.h"
#include "storage/key_ring.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;

/// What a crash during init may leave behind: then the directory is ours to complete. A fresh file
/// system's lost+found is in nobody's way.
bool is_ours(const std::string& entry) {
  return entry == "lost+found" || is_temporary_name(entry) || entry == name::packs ||
         entry == name::instances || entry == name::tmp || entry == name::gc ||
         entry == name::lock || entry == name::mark_copy || entry == name::io_hint ||
         entry == name::feeds || entry == name::restores || entry == name::trash ||
         entry == name::keys;
}

Result<void> make_directory_at(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (::chmod(path.c_str(), 0700) == 0) return {};  // whatever the umask
    return std::unexpected(system_error(errno, "chmod", path));
  }
  if (errno == EEXIST) return {};
  return std::unexpected(system_error(errno, "mkdir", path));
}

Result<void> make_directories(const Directory& root) {
  for (const std::string_view entry : {name::packs, name::instances, name::tmp}) {
    if (auto ok = make_directory(root, std::string(entry)); !ok) return ok;
  }
  const auto packs = open_directory(root, std::string(name::packs));
  if (!packs) return std::unexpected(packs.error());
  for (unsigned shard = 0; shard < format::shard_count; ++shard) {
    if (auto ok = make_directory(*packs, shard_name(shard)); !ok) return ok;
  }
  if (auto ok = sync_directory(*packs); !ok) return ok;
  return sync_directory(root);
}

/// A new FORMAT; with a key that opens it, the first slot is made first, durably.
Result<RepositoryMark> new_mark(const Directory& root, const NewKeySlot* first_key) {
  RepositoryCipher::Id id{};
  RepositorySecret secret;
  if (auto ok = fill_random(id); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = fill_random(secret); !ok) return std::unexpected(std::move(ok.error()));
  RepositoryMark mark;
  mark.repository_id = to_hex(id);
  mark.major = format::version_major;
  mark.minor = format::version_minor;
  mark.encrypted = first_key != nullptr;
  if (!mark.encrypted) {
    mark.secret = secret;
    return mark;
  }
  const auto check = key_check(secret, id);
  if (!check) return std::unexpected(check.error());
  mark.key_check = *check;
  if (auto ok = make_first_key_slot(root, secret, id, *first_key); !ok)
    return std::unexpected(std::move(ok.error()));
  return mark;
}

/// Whether `name` is a directory with something in it.
Result<bool> holds_something(const Directory& root, const std::string& name) {
  const auto directory = open_directory(root, name);
  if (!directory && directory.error().code == std::errc::no_such_file_or_directory) return false;
  if (!directory) return std::unexpected(directory.error());
  const auto entries = list_directory(*directory);
  if (!entries) return std::unexpected(entries.error());
  return !entries->empty();
}

/// A half-made repository holds no backup yet. One that does has lost its FORMAT, and a new one
/// would disown all that is in it.
Result<void> check_unused(const Directory& root) {
  std::vector<std::string> directories{std::string(name::instances), std::string(name::gc)};
  for (unsigned shard = 0; shard < format::shard_count; ++shard)
    directories.push_back(fmt::format("{}/{}", name::packs, shard_name(shard)));
  for (const std::string& directory : directories) {
    const auto used = holds_something(root, directory);
    if (!used) return std::unexpected(used.error());
    if (!*used) continue;
    return std::unexpected(Error{
        .code = Errc::corrupt,
        .detail = fmt::format("{}: FORMAT is missing, and {} is not empty", root.path, directory)});
  }
  return {};
}

/// The name of the repository itself, durably. Where the parent cannot be read or synced, that is
/// up to whoever made it so.
Result<void> sync_parent(const Directory& root) {
  const auto parent = open_directory(root, "..");
  if (!parent && parent.error().code == std::errc::permission_denied) return {};
  if (!parent) return std::unexpected(parent.error());
  auto synced = sync_directory(*parent);
  if (!synced && synced.error().code != std::errc::invalid_argument) return synced;
  return {};
}

Result<RepositoryMark> read_mark_at(const Directory& root, std::string_view file) {
  const auto text = read_text(root, std::string(file), format::text_bytes_max);
  if (!text) return std::unexpected(text.error());
  return parse_mark(*text, root.path_of(file));
}

/// FORMAT, or its copy and why not FORMAT. not_found when there is neither.
struct FoundMark {
  RepositoryMark mark;
  std::optional<Error> damage;
};
Result<FoundMark> find_mark(const Directory& root) {
  auto mark = read_mark_at(root, name::mark);
  if (mark) return FoundMark{.mark = *std::move(mark), .damage = {}};
  if (!is_damage(mark.error())) return std::unexpected(std::move(mark.error()));
  auto copy = read_mark_at(root, name::mark_copy);
  if (copy) return FoundMark{.mark = *std::move(copy), .damage = std::move(mark.error())};
  Error error = std::move(mark.error());
  if (copy.error().code == Errc::not_found) return std::unexpected(std::move(error));
  if (error.code == Errc::not_found) error.code = copy.error().code;
  error.detail += "; and " + to_string(copy.error());
  return std::unexpected(std::move(error));
}

/// Makes a repository of an empty or half-made directory. FORMAT comes last and atomically, after
/// its copy: while both are missing, there is no repository yet.
Result<void> initialize(const Directory& root, const LayoutOptions& options) {
  const auto entries = list_directory(root);
  if (!entries) return std::unexpected(entries.error());
  const auto foreign = std::ranges::find_if_not(*entries, is_ours);
  if (foreign != entries->end()) {
    return std::unexpected(Error{.code = Errc::not_empty,
                                 .detail = fmt::format("{} holds \"{}\"", root.path, *foreign)});
  }
  const auto lock = FileLock::acquire(root, std::string(name::lock), 30s);  // two at once
  if (!lock) return std::unexpected(lock.error());
  for (const std::string_view mark : {name::mark, name::mark_copy}) {
    const auto made = exists(root, std::string(mark));
    if (!made) return std::unexpected(made.error());
    if (*made) return {};
  }
  if (auto ok = check_unused(root); !ok) return ok;
  if (options.first_key == nullptr) {  // who asked for encryption must not get a plain one later
    const auto keys = holds_something(root, std::string(name::keys));
    if (!keys) return std::unexpected(keys.error());
    if (*keys)
      return std::unexpected(Error{
          .code = Errc::not_empty,
          .detail =
              root.path_of(name::keys) + ": the making of an encrypted repository was cut short"});
  }
  if (auto ok = sync_parent(root); !ok) return ok;
  if (auto ok = make_directories(root); !ok) return ok;
  if (options.at_step) options.at_step("init_directories");
  const auto mark = new_mark(root, options.first_key);
  if (!mark) return std::unexpected(mark.error());
  return create_text(root, std::string(name::mark_copy), serialize(*mark));
}

/// Writes FORMAT from its copy where no backup was begun yet: the making was cut short between the
/// two. Elsewhere FORMAT was lost, and that is for a person to know.
Result<void> complete(const Directory& root, const LayoutOptions& options) {
  if (options.at_step) options.at_step("init_copy");
  const auto lock = FileLock::acquire(root, std::string(name::lock), 30s);
  if (!lock) return std::unexpected(lock.error());
  const auto made = exists(root, std::string(name::mark));
  if (!made) return std::unexpected(made.error());
  if (*made || !check_unused(root)) return {};
  const auto mark = read_mark_at(root, name::mark_copy);
  if (!mark) return {};  // whoever reads it will say so
  const auto text = read_text(root, std::string(name::mark_copy), format::text_bytes_max);
  if (!text) return std::unexpected(text.error());
  return create_text(root, std::string(name::mark), *text);
}

Result<Directory> open_root(const std::string& path, bool create_if_missing) {
  if (create_if_missing) {
    if (auto ok = make_directory_at(path); !ok) return std::unexpected(std::move(ok.error()));
  }
  auto root = open_directory(path);
  if (!root && root.error().code == std::errc::no_such_file_or_directory) {
    return std::unexpected(
        Error{.code = Errc::not_a_repository, .detail = path + ": no such directory"});
  }
  return root;
}

}  // namespace

Layout::Layout(Directory root, RepositoryMark mark) noexcept
    : root_(std::move(root)), mark_(std::move(mark)) {}

Result<Layout> Layout::open(const std::string& path, const LayoutOptions& options) {
  auto root = open_root(path, options.create_if_missing);
  if (!root) return std::unexpected(std::move(root.error()));
  const auto marked = exists(*root, std::string(name::mark));
  const auto copied = exists(*root, std::string(name::mark_copy));
  if (!marked) return std::unexpected(marked.error());
  if (!copied) return std::unexpected(copied.error());
  if (options.must_create && (*marked || *copied))
    return std::unexpected(Error{.code = Errc::exists, .detail = "repository " + path});
  if (!*marked && options.create_if_missing) {
    auto made = *copied ? Result<void>() : initialize(*root, options);
    if (made) made = complete(*root, options);
    if (!made) return std::unexpected(std::move(made.error()));
  }
  auto found = find_mark(*root);
  if (!found && found.error().code == Errc::not_found) {
    return std::unexpected(
        Error{.code = Errc::not_a_repository, .detail = path + " holds no FORMAT"});
  }
  if (!found) return std::unexpected(std::move(found.error()));
  Layout layout(*std::move(root), std::move(found->mark));
  layout.mark_damage_ = std::move(found->damage);
  if (auto ok = layout.unlock(options); !ok) return std::unexpected(std::move(ok.error()));
  return layout;
}

/// Gets the secret, from FORMAT or from a slot, and what comes of it.
Result<void> Layout::unlock(const LayoutOptions& options) {
  RepositorySecret secret = mark_.secret;
  if (!mark_.encrypted && (options.key || options.first_key != nullptr)) {
    return std::unexpected(Error{.code = Errc::wrong_key,
                                 .detail = path() + " is not encrypted, and a key was given"});
  }
  if (mark_.encrypted && !options.key && options.first_key == nullptr) {
    if (options.keyless) return {};
    return std::unexpected(Error{.code = Errc::key_needed, .detail = path()});
  }
  if (mark_.encrypted) {
    auto material = options.key ? options.key() : Result<KeyMaterial>();
    if (!material) return std::unexpected(std::move(material.error()));
    auto opened =
        storage::unlock(root_, mark_, options.key ? *material : options.first_key->material);
    if (!opened) return std::unexpected(std::move(opened.error()));
    secret = *opened;
    auto cipher = RepositoryCipher::make(secret, mark_.binary_id());
    if (!cipher) return std::unexpected(std::move(cipher.error()));
    cipher_ = std::make_shared<const RepositoryCipher>(*std::move(cipher));
  }
  auto keys = derive_keys(secret, mark_.binary_id());
  if (!keys) return std::unexpected(std::move(keys.error()));
  keys_ = *keys;
  return {};
}

RepositoryStamp Layout::stamp() const noexcept {
  RepositoryStamp stamp;
  const RepositoryCipher::Id id = mark_.binary_id();
  std::copy_n(id.begin(), stamp.id.size(), stamp.id.begin());
  stamp.minor = static_cast<std::uint16_t>(std::min<unsigned>(mark_.minor, format::version_minor));
  stamp.encrypted = mark_.encrypted;
  stamp.cipher = cipher_.get();
  return stamp;
}

Result<const RepositoryCipher*> Layout::need_cipher() const {
  if (is_locked()) return std::unexpected(Error{.code = Errc::key_needed, .detail = path()});
  return cipher_.get();
}

Result<RepositoryMark> Layout::read_mark(std::string_view file) const {
  return read_mark_at(root_, file);
}

const SecretKey* Layout::head_key() const noexcept {
  return cipher_ ? &cipher_->head_key() : nullptr;
}

ManifestNames manifest_names(std::uint32_t number) {
  if (number == 0)
    return {.manifest = std::string(name::manifest), .copy = std::string(name::manifest_copy)};
  return {.manifest = fmt::format("{}.{}", name::manifest, number),
          .copy = fmt::format("{}.{}.copy", name::manifest, number)};
}

std::optional<std::uint32_t> manifest_number(std::string_view file) {
  const std::size_t dot = file.find('.');
  const std::string_view digits =
      dot == std::string_view::npos ? std::string_view() : file.substr(dot + 1);
  std::uint32_t number = 0;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const ManifestNames names = manifest_names(number);
  if (file != names.manifest && file != names.copy) return std::nullopt;
  return number;
}

Result<void> Layout::allows(Operation operation) const {
  return check_features(mark_, operation, root_.path_of(name::mark));
}

Result<Directory> Layout::directory(std::string_view name) const {
  return open_directory(root_, std::string(name));
}

Result<Directory> Layout::shard(unsigned shard) const {
  return open_directory(root_, fmt::format("{}/{}", name::packs, shard_name(shard)));
}

Result<Directory> Layout::instance(std::string_view instance) const {
  if (auto ok = check_instance_name(instance); !ok) return std::unexpected(std::move(ok.error()));
  return open_directory(root_, fmt::format("{}/{}", name::instances, instance));
}

Result<Directory> Layout::backup(const BackupKey& key) const {
  if (auto ok = check_instance_name(key.instance); !ok)
    return std::unexpected(std::move(ok.error()));
  if (!parse_backup_id(key.id)) {
    return std::unexpected(
        Error{.code = Errc::bad_name, .detail = fmt::format("backup id \"{}\"", key.id)});
  }
  const std::string path = fmt::format("{}/{}/{}", name::instances, key.instance, key.id);
  auto found = open_directory(root_, path);
  if (!found && found.error().code == std::errc::no_such_file_or_directory) {
    return std::unexpected(Error{.code = Errc::not_found, .detail = root_.path_of(path)});
  }
  return found;
}

std::string Layout::pack_name(const PackId& id) {
  return fmt::format("{}/{}/{}", name::packs, shard_name(shard_of(id)), to_string(id));
}

std::string Layout::backup_name(const BackupKey& key, std::string_view file) {
  return fmt::format("{}/{}/{}/{}", name::instances, key.instance, key.id, file);
}

Result<std::vector<std::string>> Layout::instances() const {
  const auto directory = this->directory(name::instances);
  if (!directory) return std::unexpected(directory.error());
  auto names = list_directories(*directory);
  if (!names) return std::unexpected(std::move(names.error()));
  std::erase_if(*names, [](const std::string& entry) { return !check_instance_name(entry); });
  return names;
}

Result<std::vector<BackupId>> Layout::backup_ids(std::string_view instance) const {
  const auto directory = this->instance(instance);
  if (!directory && directory.error().code == std::errc::no_such_file_or_directory)
    return std::vector<BackupId>();
  if (!directory) return std::unexpected(directory.error());
  const auto names = list_directories(*directory);
  if (!names) return std::unexpected(names.error());
  std::vector<BackupId> ids;
  for (const std::string& entry : *names) {
    if (const auto id = parse_backup_id(entry)) ids.push_back(*id);
  }
  return ids;
}

Result<std::vector<BackupKey>> Layout::all_keys() const {
  const auto instances = this->instances();
  if (!instances) return std::unexpected(instances.error());
  std::vector<BackupKey> keys;
  for (const std::string& instance : *instances) {
    const auto ids = backup_ids(instance);
    if (!ids) return std::unexpected(ids.error());
    for (const BackupId& id : *ids) keys.push_back({.instance = instance, .id = to_string(id)});
  }
  return keys;
}

Result<std::optional<Head>> Layout::head(const BackupKey& key) const {
  const auto directory = backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto text = read_text(*directory, std::string(name::head), format::text_bytes_max);
  if (!text && text.error().code == Errc::not_found) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  const std::string object = directory->path_of(name::head);
  auto head = parse_head(*text, object, head_key());
  if (!head) return std::unexpected(std::move(head.error()));
  if (head->key != key || head->repository_id != mark_.repository_id) {
    return std::unexpected(
        Error{.code = head_key() != nullptr ? Errc::not_authentic : Errc::corrupt,
              .detail = fmt::format("{}: of backup {}/{} in repository {}", object,
                                    head->key.instance, head->key.id, head->repository_id)});
  }
  return std::optional(*std::move(head));
}

}  // namespace sluice::storage
