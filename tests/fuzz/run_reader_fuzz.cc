// Property: a run that is taken is exactly what the writer makes of the records that are read from
// it; its pieces are the writer's; each key is found; and the delta from it to a run with every
// second record left out makes that run. A fragment list that is taken is what is written again.
// Input: a run; or, behind a byte 0xff, a fragment list.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "engine/fragment_list.h"
#include "engine/run_delta.h"
#include "engine/run_reader.h"
#include "engine/run_writer.h"

namespace {

using namespace sluice::engine;
using Bytes = std::span<const std::byte>;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_fragment_list(Bytes input) {
  FragmentList list;
  if (!read_fragment_list(input, "input", list)) return;
  std::vector<std::byte> again;
  write_fragment_list(list, again);
  require(std::ranges::equal(again, input));
}

void check_delta(RunReader& reader, const RunPieces& pieces) {
  RunWriter writer;
  Record record;
  reader.rewind();
  for (std::uint32_t i = 0; reader.next(record); ++i) {
    if (i % 2 == 0) require(writer.add(record));
  }
  const Bytes result = writer.finish();
  sluice::storage::DeltaOps ops;
  make_delta({reader.raw(), &pieces}, {result, &writer.pieces()}, ops);
  std::vector<std::byte> text;
  const auto base_bytes = static_cast<std::uint32_t>(reader.raw().size());
  sluice::storage::write_delta({}, base_bytes, ops, result, text);
  std::vector<std::byte> made(result.size());
  require(sluice::storage::apply_delta(text, reader.raw(), made, "delta").has_value());
  require(std::ranges::equal(made, result));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  if (size > 0 && data[0] == 0xff) {
    check_fragment_list(input.subspan(1));
    return 0;
  }
  auto reader = RunReader::open(input, "input");
  if (!reader) return 0;
  RunWriter writer;
  Record record;
  std::vector<std::vector<std::byte>> keys;
  while (reader->next(record)) {
    require(writer.add(record));
    keys.emplace_back(record.key.begin(), record.key.end());
  }
  require(std::ranges::equal(writer.finish(), input));
  RunPieces pieces;
  reader->pieces(pieces);
  for (std::size_t c = 0; c < run_column_count; ++c) {
    const auto column = static_cast<RunColumn>(c);
    require(std::ranges::equal(pieces.starts(column), writer.pieces().starts(column)));
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(keys.size(), 20); ++i) {
    require(reader->find(keys[i], record));
  }
  check_delta(*reader, pieces);
  return 0;
}
