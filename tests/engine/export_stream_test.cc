#include "engine/export_stream.h"

#include <filesystem>
#include <memory>

#include "engine/csv_format.h"
#include "engine/jsonl_format.h"
#include "engine/resp_format.h"
#include "output_text.h"
#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

enum class Kind { jsonl, resp, csv };

std::unique_ptr<ExportFormat> make(Kind kind, OutputBuffer& out, const ScratchLimits& limits) {
  switch (kind) {
    case Kind::jsonl: return std::make_unique<JsonlFormat>(out, JsonlFormat::Shape::line, limits);
    case Kind::resp:
      return std::make_unique<RespFormat>(out, RespFormat::Options{.limits = limits});
    case Kind::csv: return std::make_unique<CsvFormat>(out);
  }
  return nullptr;
}

/// The file in that format, fed in pieces of `cut` bytes; empty when it is refused.
std::string exported(const std::string& file, Kind kind, std::size_t cut,
                     const ScratchLimits& limits) {
  OutputText out;
  const auto format = make(kind, out.buffer, limits);
  ExportStream stream(*format, out.buffer, "the file");
  rdb::Parser parser(stream);
  for (std::size_t at = 0; at < file.size(); at += cut) {
    if (!parser.feed(bytes(std::string_view(file).substr(at, cut)))) return {};
  }
  return out.text();
}

// Neither how the stream was cut nor how little memory there is may be seen in what is written.
TEST(ExportStream, WritesTheCorpusTheSameInAnyCutAndBudget) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(SLUICE_TEST_DATA "/corpus")) {
    if (entry.path().extension() != ".rdb") continue;
    const std::string name =
        std::filesystem::relative(entry.path(), SLUICE_TEST_DATA "/corpus").string();
    const std::string file = read_corpus(name);
    for (const Kind kind : {Kind::jsonl, Kind::resp, Kind::csv}) {
      SCOPED_TRACE(name);
      const std::string whole = exported(file, kind, file.size() + 1, {});
      if (whole.empty()) continue;
      ++files;
      EXPECT_TRUE(whole == exported(file, kind, 4099,
                                    {.sort_bytes = 1000, .spool_bytes = 100, .inline_bytes = 64}));
      EXPECT_TRUE(
          whole ==
          exported(file, kind, 7, {.sort_bytes = 9000, .spool_bytes = 9000, .inline_bytes = 500}));
    }
  }
  EXPECT_GT(files, 100);
}

TEST(ExportStream, StopsWhenTheOutputRefuses) {
  const std::string file = read_corpus("servers/redis70-default.rdb");
  int calls = 0;
  OutputBuffer out(OutputBuffer::room_max, [&](auto) { return ++calls < 3; });
  JsonlFormat format(out, JsonlFormat::Shape::line);
  ExportStream stream(format, out, "the file");
  rdb::Parser parser(stream);
  const auto fed = parser.feed(bytes(file));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, rdb::Errc::stopped);
  EXPECT_FALSE(stream.error());  // the output knows why
  EXPECT_LT(parser.records(), 900);
}

}  // namespace
}  // namespace sluice::engine
