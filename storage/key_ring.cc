#include "storage/key_ring.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/layout.h"
#include "storage/repository_lock.h"

namespace sluice::storage {
namespace {

std::string file_of(std::string_view id) { return fmt::format("{}/{}", name::keys, id); }

std::unexpected<Error> refuse(Errc code, std::string detail) {
  return std::unexpected(Error{.code = code, .detail = std::move(detail)});
}

Result<std::vector<ListedKeySlot>> slots_in(const Directory& root) {
  const auto directory = open_directory(root, std::string(name::keys));
  if (!directory) return std::unexpected(directory.error());
  auto names = list_directory(*directory);
  if (!names) return std::unexpected(std::move(names.error()));
  std::vector<ListedKeySlot> slots;
  for (const std::string& id : *names) {
    if (!is_key_slot_id(id)) continue;
    const auto text = read_text(*directory, id, format::text_bytes_max);
    auto slot = text ? parse_key_slot(*text, id, root.path_of(file_of(id)))
                     : Result<KeySlot>(std::unexpect, text.error());
    ListedKeySlot listed;
    if (slot)
      listed.slot = *std::move(slot);
    else
      listed.damage = std::move(slot.error());
    listed.slot.id = id;
    slots.push_back(std::move(listed));
  }
  std::ranges::stable_sort(slots, {},
                           [](const ListedKeySlot& listed) { return listed.slot.created_at_ms; });
  return slots;
}

Result<void> check_encrypted(const Layout& layout) {
  if (layout.mark().encrypted) return {};
  return refuse(Errc::unsupported_feature, layout.path() + ": is not encrypted, it has no keys");
}

}  // namespace

Result<std::vector<ListedKeySlot>> list_key_slots(const Layout& layout) {
  if (auto ok = check_encrypted(layout); !ok) return std::unexpected(std::move(ok.error()));
  return slots_in(layout.root());
}

Result<std::string> add_key_slot(const Layout& layout, const NewKeySlot& slot) {
  if (auto ok = check_encrypted(layout); !ok) return std::unexpected(std::move(ok.error()));
  const auto cipher = layout.need_cipher();
  if (!cipher) return std::unexpected(cipher.error());
  const auto made = make_key_slot((*cipher)->secret(), (*cipher)->repository_id(), slot);
  if (!made) return std::unexpected(made.error());
  const auto lock = lock_repository(layout);
  if (!lock) return std::unexpected(lock.error());
  const auto directory = layout.directory(name::keys);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = create_text(*directory, made->id, serialize(*made)); !ok)
    return std::unexpected(std::move(ok.error()));
  return made->id;
}

Result<void> remove_key_slot(const Layout& layout, std::string_view id) {
  if (auto ok = check_encrypted(layout); !ok) return ok;
  const auto lock = lock_repository(layout);
  if (!lock) return std::unexpected(lock.error());
  const auto slots = slots_in(layout.root());
  if (!slots) return std::unexpected(slots.error());
  const auto is_it = [id](const ListedKeySlot& listed) { return listed.slot.id == id; };
  if (std::ranges::none_of(*slots, is_it))
    return refuse(Errc::not_found, layout.root().path_of(file_of(id)));
  const auto stays = [&](const ListedKeySlot& other) { return !is_it(other) && !other.damage; };
  if (std::ranges::none_of(*slots, stays))
    return refuse(Errc::last_key, layout.root().path_of(file_of(id)));
  const auto directory = layout.directory(name::keys);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = remove_file(*directory, std::string(id)); !ok) return ok;
  return sync_directory(*directory);
}

Result<RepositorySecret> unlock(const Directory& root, const RepositoryMark& mark,
                                const KeyMaterial& material) {
  const auto slots = slots_in(root);
  if (!slots) return std::unexpected(slots.error());
  const RepositoryCipher::Id id = mark.binary_id();
  std::size_t tried = 0;
  std::string damaged;
  for (const ListedKeySlot& listed : *slots) {
    if (listed.damage) damaged += "; " + to_string(*listed.damage);
    if (listed.damage) continue;
    ++tried;
    const auto secret = open_key_slot(listed.slot, id, material);
    if (!secret) return std::unexpected(secret.error());
    if (!*secret) continue;
    const auto check = key_check(**secret, id);
    if (!check) return std::unexpected(check.error());
    if (*check == mark.key_check) return **secret;
    return refuse(Errc::not_authentic, root.path_of(file_of(listed.slot.id)) +
                                           ": its secret is not that of FORMAT, which");
  }
  return refuse(Errc::wrong_key, fmt::format("{}: {} key {} tried{}", root.path_of(name::keys),
                                             tried, tried == 1 ? "slot" : "slots", damaged));
}

Result<void> make_first_key_slot(const Directory& root, const RepositorySecret& secret,
                                 const RepositoryCipher::Id& id, const NewKeySlot& slot) {
  const auto made = make_key_slot(secret, id, slot);
  if (!made) return std::unexpected(made.error());
  if (auto ok = make_directory(root, std::string(name::keys)); !ok) return ok;
  if (auto ok = sync_directory(root); !ok) return ok;
  const auto directory = open_directory(root, std::string(name::keys));
  if (!directory) return std::unexpected(directory.error());
  const auto old = list_directory(*directory);
  if (!old) return std::unexpected(old.error());
  for (const std::string& file : *old) {  // of a making that was cut short
    if (auto ok = remove_file(*directory, file); !ok) return ok;
  }
  return create_text(*directory, made->id, serialize(*made));
}

}  // namespace sluice::storage
