#include "corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::rdb::testing {
namespace {

std::vector<CorpusFile> read_corpus() {
  const std::filesystem::path root = SLUICE_TEST_DATA "/corpus";
  std::vector<CorpusFile> files;
  if (!std::filesystem::exists(root)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".rdb") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files.push_back({.name = std::filesystem::relative(entry.path(), root).generic_string(),
                     .content = std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::ranges::sort(files, {}, &CorpusFile::name);
  return files;
}

}  // namespace

const std::vector<CorpusFile>& corpus() {
  static const std::vector<CorpusFile> files = read_corpus();
  return files;
}

const CorpusFile& corpus_file(const std::string& name) {
  static const CorpusFile none;
  const auto found = std::ranges::find(corpus(), name, &CorpusFile::name);
  if (found != corpus().end()) return *found;
  ADD_FAILURE() << "no corpus file " << name;
  return none;
}

}  // namespace sluice::rdb::testing
