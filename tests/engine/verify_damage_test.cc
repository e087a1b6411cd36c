// One flipped bit anywhere in any file of a repository: verify names the object, and where it costs
// something the chunk, the keys and every backup that it touches. A sample of places, or all of
// them in the soak test.

#include <algorithm>
#include <set>

#include "verify_fixture.h"

namespace sluice::engine {
namespace {

namespace fs = std::filesystem;

class VerifyDamageTest : public VerifyTest {
 protected:
  /// What of a backup lies at a byte of a pack.
  struct Hit {
    std::string backup;
    std::uint32_t chunk = 0;
    std::uint64_t offset = 0;
  };

  /// Paths below the repository.
  std::vector<std::string> files() {
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file() && entry.file_size() > 0)
        paths.push_back(fs::relative(entry.path(), root_));
    }
    std::ranges::sort(paths);
    return paths;
  }

  std::vector<Hit> hits(const std::string& object, std::size_t at) const {
    std::vector<Hit> found;
    for (const auto& stored : stored_) {
      for (std::uint32_t chunk = 0; chunk < stored.chunks.size(); ++chunk) {
        for (const auto& blob : stored.blobs_of(chunk)) {
          const bool is_here =
              storage::Repository::pack_name(stored.packs[blob.pack].id) == object &&
              at >= blob.offset &&
              at < blob.offset + sizeof(storage::format::BlobHeader) + blob.stored_bytes;
          if (is_here)
            found.push_back({.backup = stored.key.id, .chunk = chunk, .offset = blob.offset});
        }
      }
    }
    return found;
  }

  static const VerifyDamage* find(const VerifyResult& result, const std::string& object,
                                  const Hit& hit) {
    for (const VerifyDamage& damage : result.damage) {
      if (damage.object == object && damage.chunk == hit.chunk && damage.offset == hit.offset)
        return &damage;
    }
    return nullptr;
  }

  void expect_chunk_named(const std::vector<VerifyResult>& results, const std::string& object,
                          std::size_t at) {
    const auto all = hits(object, at);
    for (const Hit& hit : all) {
      const auto result = std::ranges::find(results, hit.backup, &VerifyResult::id);
      ASSERT_NE(result, results.end());
      const VerifyDamage* damage = find(*result, object, hit);
      ASSERT_NE(damage, nullptr) << hit.backup << " chunk " << hit.chunk;
      EXPECT_FALSE(damage->what.empty());
      if (damage->what == "run" || damage->what == "fragment") {
        EXPECT_TRUE(damage->first_key && !damage->first_key->empty());
        EXPECT_TRUE(damage->db);
        EXPECT_GT(damage->keys, 0u);
      }
      EXPECT_EQ(damage->first_record.has_value(), damage->what == "stream");
      std::set<std::string> others;
      for (const Hit& other : all) {
        if (other.backup != hit.backup) others.insert(other.backup);
      }
      EXPECT_EQ(std::set(damage->backups.begin(), damage->backups.end()), others);
    }
  }

  /// Where it is, and that it is told.
  void expect_named(const std::string& object, std::size_t at) {
    VerifyOptions options{.repository = {}};
    options.io = IoBackend::threads;
    options.threads = 1;
    const auto results = check(options);
    const bool is_note = object.ends_with("CHECKED") || object == "IO";
    bool is_told = false;
    for (const VerifyResult& result : results) {
      EXPECT_EQ(result.ok, result.problems.empty());
      for (const std::string& problem : result.problems) is_told |= problem.contains(object);
      EXPECT_TRUE(result.ok || !is_note);
    }
    if (is_note) return;
    EXPECT_TRUE(is_told);
    if (object.starts_with("packs/")) {
      EXPECT_TRUE(std::ranges::any_of(results, [&](const VerifyResult& result) {
        return std::ranges::find(result.damage, object, &VerifyDamage::object) !=
               result.damage.end();
      }));
      expect_chunk_named(results, object, at);
    }
  }

  /// In the sample: the ends of the file, and some places in between.
  static std::vector<std::size_t> places(std::size_t size, bool every, std::mt19937& random) {
    std::vector<std::size_t> at;
    if (every) {
      for (std::size_t i = 0; i < size; ++i) at.push_back(i);
      return at;
    }
    at = {0, size - 1};
    for (int i = 0; i < 6; ++i) at.push_back(random() % size);
    return at;
  }

  /// A full backup and two that build on it: with packs that they share, deltas, a long value.
  void store_a_chain() {
    store(dataset(0));
    store(dataset(1));
    const auto last = opened(store(dataset(2)));
    bool has_deltas = false;
    for (const auto& chunk : last.chunks) has_deltas |= chunk.blob_count > 1;
    EXPECT_TRUE(has_deltas);
    EXPECT_GT(last.packs.size(), 2u);
  }

  void flip(bool every) {
    for (const VerifyResult& result : check()) {
      ASSERT_TRUE(result.ok) << result.problems.front();
      stored_.push_back(opened(result.id));
    }
    std::mt19937 random(7);
    for (const std::string& object : files()) {
      const std::string whole = read_file(root_ / object);
      for (const std::size_t at : places(whole.size(), every, random)) {
        SCOPED_TRACE(object + " byte " + std::to_string(at));
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 1 << at % 8);
        write_file(root_ / object, bad);
        expect_named(object, at);
        if (HasFatalFailure()) return;
      }
      write_file(root_ / object, whole);
    }
    for (const VerifyResult& result : check()) EXPECT_TRUE(result.ok) << result.problems.front();
  }

  std::vector<storage::Backup> stored_;
};

TEST_F(VerifyDamageTest, AFlippedBitAnywhereIsNamed) {
  store_a_chain();
  flip(false);
}

TEST_F(VerifyDamageTest, InLayoutStreamToo) {
  store(dataset(0), BackupLayout::stream);
  store(dataset(1), BackupLayout::stream);
  flip(false);
}

// ctest -L soak
TEST_F(VerifyDamageTest, DISABLED_AFlippedBitInAnyByteIsNamed) {
  store_a_chain();
  flip(true);
}

TEST_F(VerifyDamageTest, DISABLED_InAnyByteOfLayoutStreamToo) {
  store(dataset(0), BackupLayout::stream);
  store(dataset(1), BackupLayout::stream);
  flip(true);
}

}  // namespace
}  // namespace sluice::engine
