#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::engine {

/// Text as it may stand between tags and in quoted attributes. Keys are written by whoever writes
/// to the server; what is not printable ASCII becomes a replacement character.
[[nodiscard]] std::string html_escape(std::string_view text);

[[nodiscard]] std::string page_bytes(std::uint64_t bytes);  ///< "1.5 MiB"
[[nodiscard]] std::string page_count(std::uint64_t count);  ///< "1,234,567"

/// Puts one page together: well-formed XML, no scripts, nothing that is fetched, light or dark as
/// the reader has it. All texts are escaped here.
class HtmlPage {
 public:
  struct Bar {
    std::string label;
    double size = 0;
    std::string value;  ///< The size for people.
  };
  struct Cell {
    std::string text;
    bool number = false;
    int indent = 0;     ///< Steps to the right.
    double share = -1;  ///< 0 to 1: drawn behind the number.
  };

  explicit HtmlPage(std::string_view title);

  void paragraph(std::string_view text);
  /// Large figures side by side.
  void figures(const std::vector<std::pair<std::string, std::string>>& named);
  void begin_section(std::string_view title);
  void end_section();
  /// A bar chart. What it shows is to stand in a table too.
  void bars(std::string_view title, const std::vector<Bar>& bars);
  void table(std::string_view caption, const std::vector<std::string>& header,
             const std::vector<std::vector<Cell>>& rows);

  /// The whole page. Leaves nothing.
  [[nodiscard]] std::string take();

 private:
  void cell(const Cell& cell, bool head);

  std::string text_;
};

}  // namespace sluice::engine
