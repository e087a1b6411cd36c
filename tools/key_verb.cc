// sluice key list, add, remove

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "key_options.h"
#include "sluice/catalog.h"
#include "sluice/repository.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  RepositoryKey added;
  std::string label;
  std::string slot;
};

int run_list(const Globals& globals) {
  const auto slots = list_keys(globals.repository);
  if (!slots) return report(slots.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*slots));
    return exit_code::done;
  }
  std::vector<std::vector<std::string>> rows;
  for (const KeySlotInfo& slot : *slots) {
    if (slot.damage)
      rows.push_back({slot.id, "DAMAGED", "", *slot.damage});
    else
      rows.push_back({slot.id, slot.kind, format_time(slot.created_at_ms), slot.label});
  }
  print_table({"ID", "KIND", "CREATED", "LABEL"}, rows);
  return exit_code::done;
}

int run_add(Options& options, const Globals& globals) {
  if (!options.added.is_given()) {
    auto passphrase = ask_new_passphrase();
    if (!passphrase) return report(passphrase.error(), globals);
    options.added.passphrase = *std::move(passphrase);
  }
  const auto id = add_key(globals.repository, options.added, options.label);
  if (!id) return report(id.error(), globals);
  if (globals.json)
    fmt::print("{{\"id\":\"{}\"}}\n", *id);
  else
    fmt::print("key {} added\n", *id);
  return exit_code::done;
}

int run_remove(const Options& options, const Globals& globals) {
  const auto removed = remove_key(globals.repository, options.slot);
  if (!removed) return report(removed.error(), globals);
  if (globals.json)
    fmt::print("{{\"id\":\"{}\"}}\n", options.slot);
  else
    fmt::print("key {} removed\n", options.slot);
  return exit_code::done;
}

}  // namespace

Verb add_key(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.require_subcommand(1);
  auto* list = app.add_subcommand("list", "List what opens the repository");
  auto* add = app.add_subcommand("add", "Add a passphrase, a key file or a command that opens it");
  add_key_options(*add, options->added, "new");
  add->add_option("--label", options->label, "For people: whose key it is")->type_name("TEXT");
  auto* remove = app.add_subcommand("remove", "Remove a key; the last one stays");
  remove->add_option("ID", options->slot, "Which, as key list shows it")->required();
  for (auto* verb : {list, add, remove}) verb->fallthrough();
  return [options, &globals, list, add] {
    if (list->parsed()) return run_list(globals);
    return add->parsed() ? run_add(*options, globals) : run_remove(*options, globals);
  };
}

}  // namespace sluice::tools
