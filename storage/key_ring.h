#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/key_slot.h"
#include "storage/repository_mark.h"

namespace sluice::storage {

class Layout;

/// A file in keys/, and what is wrong with it.
struct ListedKeySlot {
  KeySlot slot;  ///< Only its id where it is damaged.
  std::optional<Error> damage;
};

/// The key slots of an encrypted repository, by the time they were made. Needs no key.
[[nodiscard]] Result<std::vector<ListedKeySlot>> list_key_slots(const Layout& layout);

/// Makes another way in, durably, and gives its id. Data are not touched.
/// Errors: key_needed for a repository opened without its key; unsupported_feature for one that is
/// not encrypted; those of make_key_slot(); the system's.
[[nodiscard]] Result<std::string> add_key_slot(const Layout& layout, const NewKeySlot& slot);

/// Closes one way in, durably. It does not help against who has a copy of the slot's file and what
/// opens it: the secret stays what it is.
/// Errors: not_found; last_key for the only one that is whole; busy.
[[nodiscard]] Result<void> remove_key_slot(const Layout& layout, std::string_view id);

/// Tries each slot. For Layout::open().
/// Errors: wrong_key, which says how many were tried; not_authentic when a slot gives a secret that
/// is not that of FORMAT.
[[nodiscard]] Result<RepositorySecret> unlock(const Directory& root, const RepositoryMark& mark,
                                              const KeyMaterial& material);
/// Makes the first slot of a repository that is being made, in place of what is in keys/.
[[nodiscard]] Result<void> make_first_key_slot(const Directory& root,
                                               const RepositorySecret& secret,
                                               const RepositoryCipher::Id& id,
                                               const NewKeySlot& slot);

}  // namespace sluice::storage
