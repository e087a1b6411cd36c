// Real files, read down to their values.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "corpus.h"
#include "corpus_reader.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

bool is_sound(const CorpusFile& file) {
  return file.name.find("unknown-types") == std::string::npos &&
         file.name.find("corrupt_") == std::string::npos;
}

StreamReading& read_into(StreamReading& reading, const CorpusFile& file) {
  reading.read(file.content);
  return reading;
}

TEST(ValueCorpus, NothingIsWrongWithWhatServersWrote) {
  for (const CorpusFile& file : corpus()) {
    if (!is_sound(file)) continue;
    SCOPED_TRACE(file.name);
    StreamReading strict;
    read_into(strict, file);
    EXPECT_EQ(strict.frame_error, std::nullopt);
    for (const Error& error : strict.value_errors) ADD_FAILURE() << to_string(error);
  }
}

TEST(ValueCorpus, TheDepthsAndTheTextsChangeNoVerdict) {
  for (const CorpusFile& file : corpus()) {
    SCOPED_TRACE(file.name);
    StreamReading strict;
    read_into(strict, file);
    StreamReading deaf({.texts = {}, .strict = true});
    EXPECT_EQ(read_into(deaf, file).value_errors, strict.value_errors);
    EXPECT_EQ(deaf.frame_error, strict.frame_error);
    if (!is_sound(file)) continue;
    StreamReading lax({.texts = Roles::all(), .strict = false});
    EXPECT_EQ(read_into(lax, file).value_digests, strict.value_digests);
    EXPECT_TRUE(lax.value_errors.empty());
    StreamReading deaf_and_lax({.texts = {}, .strict = false});
    EXPECT_EQ(read_into(deaf_and_lax, file).value_digests, deaf.value_digests);
  }
}

TEST(ValueCorpus, GivesTheSameEventsForEveryCut) {
  std::mt19937 random(1);
  for (const CorpusFile& file : corpus()) {
    SCOPED_TRACE(file.name);
    StreamReading whole;
    read_into(whole, file);
    for (const int round : {0, 1, 2, 3, 4}) {
      StreamReading cut;
      const std::size_t most = round == 0 ? 1 : std::size_t{1} << (3 * round + 2);
      cut.read(file.content, [&] { return 1 + random() % most; });
      EXPECT_EQ(cut.value_digests, whole.value_digests);
      EXPECT_EQ(cut.value_errors, whole.value_errors);
      EXPECT_EQ(cut.frame_error, whole.frame_error);
      EXPECT_EQ(cut.frame_digest(), whole.frame_digest());
    }
  }
}

TEST(ValueCorpus, ACorruptZiplistIsRefused) {
  StreamReading reading;
  read_into(reading, corpus_file("valkey-assets/corrupt_ziplist.rdb"));
  EXPECT_EQ(reading.frame_error, std::nullopt);
  ASSERT_EQ(reading.value_errors.size(), 1u);
  EXPECT_EQ(reading.value_digests.size(), 54u) << "the others are read";
  EXPECT_EQ(to_string(reading.value_errors[0]),
            "malformed inner encoding at offset 488, record 15, db 0, key \"key:000000000091\": "
            "ziplist: it has only 5 bytes");
}

TEST(ValueCorpus, EmptyCollectionsAreRefused) {
  const CorpusFile& file = corpus_file("valkey-assets/corrupt_empty_keys.rdb");
  StreamReading strict;
  read_into(strict, file);
  EXPECT_EQ(strict.frame_error, std::nullopt);
  ASSERT_EQ(strict.value_errors.size(), 9u);
  for (const Error& error : strict.value_errors) EXPECT_EQ(error.code, Errc::empty_value);
  EXPECT_EQ(strict.value_errors[0].key, "set");
  StreamReading lax({.texts = Roles::all(), .strict = false});
  EXPECT_TRUE(read_into(lax, file).value_errors.empty());
}

}  // namespace
}  // namespace sluice::rdb::testing
