#include <utility>

#include "engine/errors.h"
#include "engine/repository_access.h"
#include "engine/repository_key.h"
#include "sluice/repository.h"
#include "storage/key_ring.h"
#include "storage/layout.h"

namespace sluice {
namespace {

std::string first_slot(const storage::Layout& layout) {
  const auto slots = storage::list_key_slots(layout);
  return slots && !slots->empty() ? slots->front().slot.id : "";
}

}  // namespace

Result<InitResult> init_repository(const RepositoryPlace& place) {
  storage::OpenOptions options;
  options.create_if_missing = true;
  options.must_create = true;
  storage::NewKeySlot slot;
  if (place.key.is_given()) {
    auto material = engine::read_key(place.key);
    if (!material) return std::unexpected(material.error());
    slot.material = *std::move(material);
    options.first_key = &slot;
  }
  const auto repository = storage::Repository::open(place.path, options);
  if (!repository) return std::unexpected(engine::from_storage(repository.error()));
  return InitResult{.path = (*repository)->path(),
                    .id = (*repository)->id(),
                    .encrypted = options.first_key != nullptr,
                    .slot = first_slot(*(*repository)->shared_layout())};
}

Result<std::vector<KeySlotInfo>> list_keys(const RepositoryPlace& place) {
  const auto repository =
      engine::open_repository(place.path, false, IoBackend::automatic, engine::WithoutKey::allowed);
  if (!repository) return std::unexpected(repository.error());
  const auto slots = storage::list_key_slots(*(*repository)->shared_layout());
  if (!slots) return std::unexpected(engine::from_storage(slots.error()));
  std::vector<KeySlotInfo> infos;
  for (const storage::ListedKeySlot& listed : *slots) {
    KeySlotInfo info{.id = listed.slot.id,
                     .kind = {},
                     .label = listed.slot.label,
                     .created_at_ms = static_cast<std::int64_t>(listed.slot.created_at_ms),
                     .damage = {}};
    if (listed.damage)
      info.damage = to_string(*listed.damage);
    else
      info.kind = to_string(listed.slot.kind);
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<std::string> add_key(const RepositoryPlace& place, const RepositoryKey& added,
                            const std::string& label) {
  const auto repository = engine::open_repository(place, false, IoBackend::automatic);
  if (!repository) return std::unexpected(repository.error());
  auto material = engine::read_key(added);
  if (!material) return std::unexpected(material.error());
  const storage::NewKeySlot slot{.material = *std::move(material), .label = label, .cost = {}};
  auto id = storage::add_key_slot(*(*repository)->shared_layout(), slot);
  if (!id) return std::unexpected(engine::from_storage(id.error()));
  return *std::move(id);
}

Result<void> remove_key(const RepositoryPlace& place, const std::string& slot) {
  const auto repository = engine::open_repository(place, false, IoBackend::automatic);
  if (!repository) return std::unexpected(repository.error());
  const auto removed = storage::remove_key_slot(*(*repository)->shared_layout(), slot);
  if (!removed) return std::unexpected(engine::from_storage(removed.error()));
  return {};
}

}  // namespace sluice
