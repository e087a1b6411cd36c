#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sluice/job.h"

namespace sluice::tools {

/// Progress and notices on stderr: a line that is redrawn on a terminal, a plain line every ten
/// seconds elsewhere, nothing with --quiet (notices are shown all the same).
class TerminalObserver final : public Observer {
 public:
  explicit TerminalObserver(bool quiet);
  ~TerminalObserver() override;

  void on_progress(const Progress& progress) override;
  void on_notice(std::string_view text) override;

 private:
  void erase_line();

  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  double last_plain_ = 0;
};

[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
[[nodiscard]] std::string human_count(std::uint64_t count);  ///< 1,234,567
[[nodiscard]] std::string human_seconds(double seconds);
/// "hash 12, string 3"
[[nodiscard]] std::string human_types(const std::map<std::string, std::uint64_t>& types);

/// A table with a header, columns as wide as they need to be; numbers in columns whose header
/// begins with '>' are set to the right.
void print_table(const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows);

/// "label: value" lines, values aligned.
void print_fields(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace sluice::tools
