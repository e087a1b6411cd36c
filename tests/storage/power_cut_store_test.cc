// B1, of a directory as an object store: what a call has done is there after a power cut once the
// call is over; before that it is done wholly or not at all.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

#include "storage/directory_store.h"
#include "tests/storage/disk_record.h"
#include "tests/storage/disk_state.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

using Objects = std::map<std::string, std::string>;

Objects objects_of(ObjectStore& store) {
  Objects objects;
  const auto entries = store.list("");
  EXPECT_OK(entries);
  for (const ObjectStore::Entry& entry : *entries) {
    const auto object = store.get(entry.name, 1 << 20);
    EXPECT_OK(object);
    objects[entry.name] = object->bytes;
  }
  return objects;
}

/// What is there after each call.
std::vector<Objects> record_calls(const fs::path& path) {
  DirectoryStore store(*open_directory(path.string()));
  std::vector<Objects> after{{}};
  const auto over = [&](const auto& result) {
    EXPECT_OK(result);
    record_mark("over");
    after.push_back(objects_of(store));
    return result;
  };
  const std::string large(10'000, 'x');
  const auto head = over(store.put_if_absent("instances/a/1/HEAD", "running"));
  (void)over(store.put_if_absent("packs/00/p", large));
  (void)over(store.put_if_absent("packs/00/q", large + "q"));
  const auto renewed = over(store.put_if_match("instances/a/1/HEAD", "running, still", *head));
  (void)over(store.put_if_match("instances/a/1/HEAD", "committed", *renewed));
  (void)over(store.move("packs/00/p", "trash/1/p"));
  (void)over(store.move("trash/1/p", "packs/00/p"));
  (void)over(store.move("packs/00/q", "trash/2/q"));
  (void)over(store.remove("trash/2/q"));
  (void)over(store.move("instances/a/1/HEAD", "instances/a/1/HEAD.removed"));
  (void)over(store.remove("instances/a/1/HEAD.removed"));
  return after;
}

/// Names of a move that was cut short may be there both.
bool is_both(const Objects& found, const Objects& before, const Objects& after) {
  Objects both = before;
  both.insert(after.begin(), after.end());
  return found == both && before.size() == after.size();
}

void expect_one_of(const DiskImage& image, const Objects& before, const Objects& after) {
  const ScratchDirectory scratch(memory_directory());
  write_image(image, scratch.path() / "r");
  DirectoryStore store(*open_directory((scratch.path() / "r").string()));
  const Objects found = objects_of(store);
  EXPECT_TRUE(found == before || found == after || is_both(found, before, after));
}

/// Mutation: any fsync of create_text() and replace_text(), sync_chain() after a put or a move.
TEST(PowerCutStoreTest, B1_OfEachCall) {
  const ScratchDirectory scratch(memory_directory());
  fs::create_directory(scratch.path() / "r");
  start_recording(scratch.path() / "r");
  const std::vector<Objects> after = record_calls(scratch.path() / "r");
  const std::vector<DiskOp> ops = stop_recording();
  ASSERT_EQ(PowerCut(ops, ops.size()).all_kept(), read_image(scratch.path() / "r"));
  std::size_t over = 0;
  std::size_t states = 0;
  for (std::size_t count = 0; count <= ops.size() && !HasFailure(); ++count) {
    SCOPED_TRACE("after operation " + std::to_string(count));
    if (count > 0 && ops[count - 1].kind == DiskOp::Kind::mark) ++over;
    const bool between = count == ops.size() || (count > 0 && ops[count - 1].name == "over");
    const Objects& next = between ? after[over] : after[over + 1];
    const PowerCut power(ops, count);
    std::vector<DiskImage> images{power.all_kept(), power.nothing_kept(), power.names_kept(),
                                  power.names_and_sizes_kept(), power.bytes_kept()};
    for (std::uint64_t seed = 0; seed < 40; ++seed)
      images.push_back(power.some_kept(count * 1000 + seed));
    for (const DiskImage& image : images) expect_one_of(image, after[over], next);
    states += images.size();
  }
  std::printf("store: %zu operations, %zu points, %zu states\n", ops.size(), ops.size() + 1,
              states);
}

}  // namespace
}  // namespace sluice::storage
