// One byte of a real file is another: something must tell, nothing may break, and no more memory is
// taken than is allowed. A sample of positions, or all of them in the soak test.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "allocation_meter.h"
#include "corpus.h"
#include "corpus_reader.h"
#include "rdb/lzf.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

/// What a parser and a value reader may hold beside the bytes that are there.
constexpr std::size_t memory_bytes_max = 64 << 10;

struct Tally {
  std::uint64_t tried = 0;
  std::uint64_t by_frame = 0;       ///< Found by the parser, the checksum left aside.
  std::uint64_t by_checksum = 0;    ///< By nothing else.
  std::uint64_t by_value = 0;       ///< By the value reader only, the checksum left aside.
  std::uint64_t other_data = 0;     ///< Reads as other data. Only a checksum could tell.
  std::uint64_t no_meaning = 0;     ///< Reads as the same data.
  std::size_t peak_bytes = 0;       ///< Beyond the size of the file.
  std::vector<std::size_t> silent;  ///< Where a byte had no meaning.
};

/// The file as it is, to its end.
struct Original {
  explicit Original(const CorpusFile& file) : content(file.content) {
    reading.read(content);
    content.resize(content.size() - reading.bytes_left);
    EXPECT_FALSE(reading.frame_error) << file.name;
  }
  [[nodiscard]] bool same_data(const StreamReading& other) const {
    return other.frame_digest() == reading.frame_digest() &&
           other.value_digests == reading.value_digests;
  }

  std::string content;
  StreamReading reading;
};

/// A key that LZF is said to make longer is believed as far as LZF can.
std::size_t bytes_allowed(const std::string& damaged, const StreamReading& reading) {
  const bool text_refused = reading.frame_error && reading.frame_error->code == Errc::bad_string;
  return damaged.size() * (text_refused ? lzf_expansion_max : 1) + memory_bytes_max;
}

void try_one(const Original& original, const std::string& damaged, std::size_t at, Tally& tally) {
  AllocationMeter meter;
  StreamReading reading;
  reading.read(damaged);
  const std::size_t allowed = bytes_allowed(damaged, reading);
  EXPECT_LE(meter.peak_bytes(), allowed) << "byte " << at;
  tally.peak_bytes =
      std::max(tally.peak_bytes, meter.peak_bytes() - std::min(meter.peak_bytes(), damaged.size()));
  ++tally.tried;
  const bool by_checksum =
      reading.frame_error && reading.frame_error->code == Errc::checksum_mismatch;
  if ((reading.frame_error && !by_checksum) || reading.bytes_left > 0) {
    ++tally.by_frame;
  } else if (reading.value_errors.size() > original.reading.value_errors.size()) {
    ++tally.by_value;
  } else if (by_checksum) {
    ++tally.by_checksum;
  } else if (original.same_data(reading)) {
    ++tally.no_meaning;
    tally.silent.push_back(at);
  } else {
    ++tally.other_data;
  }
}

/// Changes the bytes at `positions`, each to `values` others.
Tally corrupt(const Original& original, const std::vector<std::size_t>& positions, int values,
              std::uint32_t seed) {
  constexpr int flips[] = {0x01, 0x80, 0xFF, 0x40, 0x02, 0x7F, 0x10, 0x04, 0x20, 0x08};
  std::mt19937 random(seed);
  Tally tally;
  std::string damaged = original.content;
  for (const std::size_t at : positions) {
    const char before = damaged[at];
    const std::size_t from = random() % std::size(flips);
    for (int i = 0; i < values; ++i) {
      const int flip = flips[(from + static_cast<std::size_t>(i)) % std::size(flips)];
      damaged[at] = static_cast<char>(before ^ flip);
      try_one(original, damaged, at, tally);
    }
    damaged[at] = before;
  }
  return tally;
}

std::vector<std::size_t> sample(std::size_t size, std::size_t count, std::uint32_t seed) {
  std::vector<std::size_t> positions;
  if (size <= count) {
    for (std::size_t at = 0; at < size; ++at) positions.push_back(at);
    return positions;
  }
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < count; ++i) positions.push_back(random() % size);
  std::ranges::sort(positions);
  return positions;
}

bool can_be_read(const CorpusFile& file) {
  return file.name.find("unknown-types") == std::string::npos;
}

/// Files without a checksum some bytes of which may be others without a difference, and why. In all
/// other files a change that reads as the same data is a mistake.
constexpr std::string_view repetition =
    "LZF: another distance back into a repetition, the same text";
const std::map<std::string, std::string_view>& indifferent_files() {
  static const std::map<std::string, std::string_view> files = {
      {"legacy/dictionary.rdb", repetition},
      {"legacy/easily_compressible_string_key.rdb", repetition},
      {"legacy/hash_as_ziplist.rdb", repetition},
      {"legacy/parser_filters.rdb", repetition},
      {"legacy/regular_sorted_set.rdb", "the 17th digit of a score, rounded away"},
      {"legacy/sorted_set_as_ziplist.rdb", repetition},
      {"legacy/ziplist_that_compresses_easily.rdb", repetition},
      {"legacy/zipmap_that_compresses_easily.rdb", repetition},
      {"legacy/uncompressible_string_keys.rdb", "bits beside a four-byte length, up to version 7"},
      {"valkey-assets/corrupt_ziplist.rdb", "inside of the value that is refused in any case"},
      {"valkey-assets/encodings.rdb", repetition},
      {"valkey-assets/encodings-rdb987.rdb", repetition},
  };
  return files;
}

void expect_indifferent(const CorpusFile& file, const Tally& tally) {
  const bool may_be = indifferent_files().contains(file.name);
  EXPECT_LE(tally.no_meaning, may_be ? tally.tried / 20 + 5 : 0) << file.name;
  for (const std::size_t at : tally.silent) {
    EXPECT_TRUE(may_be) << "byte " << at << " of " << file.name << " means nothing";
  }
}

void add(Tally& sum, const Tally& tally) {
  sum.tried += tally.tried;
  sum.by_frame += tally.by_frame;
  sum.by_checksum += tally.by_checksum;
  sum.by_value += tally.by_value;
  sum.other_data += tally.other_data;
  sum.no_meaning += tally.no_meaning;
  sum.peak_bytes = std::max(sum.peak_bytes, tally.peak_bytes);
}

void print(const char* what, const Tally& sum) {
  std::printf(
      "%s: %lu changes; the frame tells %lu, the values %lu, the checksum %lu; %lu read "
      "as other data, %lu as the same; %zu bytes held at most beside the file\n",
      what, sum.tried, sum.by_frame, sum.by_value, sum.by_checksum, sum.other_data, sum.no_meaning,
      sum.peak_bytes);
}

/// Of files up to `whole_bytes_max` bytes every byte, of larger ones a sample.
void corrupt_corpus(std::size_t whole_bytes_max, std::size_t samples, int values) {
  Tally checked;
  Tally unchecked;
  std::uint32_t seed = 1;
  for (const CorpusFile& file : corpus()) {
    if (!can_be_read(file)) continue;
    SCOPED_TRACE(file.name);
    const Original original(file);
    const std::size_t size = original.content.size();
    const std::size_t count = size <= whole_bytes_max ? size : samples;
    ++seed;
    const Tally tally = corrupt(original, sample(size, count, seed), values, seed);
    if (original.reading.checksum_ok()) {
      EXPECT_EQ(tally.other_data + tally.no_meaning, 0u) << "the checksum did not tell";
      add(checked, tally);
    } else {
      expect_indifferent(file, tally);
      add(unchecked, tally);
    }
  }
  print("with a checksum", checked);
  print("without", unchecked);
}

TEST(Corruption, OfOneByteIsTold) { corrupt_corpus(1200, 15, 3); }

// ctest -L soak: some ten minutes.
TEST(Corruption, DISABLED_OfAnyByteIsTold) { corrupt_corpus(60'000, 4000, 4); }

}  // namespace
}  // namespace sluice::rdb::testing
