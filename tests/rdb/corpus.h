#pragma once

#include <string>
#include <vector>

namespace sluice::rdb::testing {

struct CorpusFile {
  std::string name;  ///< "servers/redis80-default.rdb".
  std::string content;
};

/// Every .rdb below tests/data/corpus, sorted by name. Read once.
[[nodiscard]] const std::vector<CorpusFile>& corpus();

/// The file of that name; fails the test and gives an empty one when it is not there.
[[nodiscard]] const CorpusFile& corpus_file(const std::string& name);

}  // namespace sluice::rdb::testing
