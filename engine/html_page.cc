#include "engine/html_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --bg: #fbfbfa; --fg: #1c2024; --soft: #5c656e; --line: #dcdfe3;
  --card: #ffffff; --bar: #2f6f9f; --tint: #dbe8f2; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --fg: #e6e8ea; --soft: #9aa4ad;
  --line: #2c3238; --card: #1b1f23; --bar: #5fa3d3; --tint: #20384a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--bg);
  color: var(--fg); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
p { color: var(--soft); margin: .25rem 0 1rem; max-width: 46rem; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 1.1rem 1.25rem; margin: 1.25rem 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem;
  margin: 1.25rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .75rem 1rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
figure { margin: 0 0 1.25rem; }
figcaption, caption { color: var(--soft); font-size: .85rem; text-align: left;
  padding-bottom: .35rem; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--fg); font: 12px system-ui, sans-serif; }
svg rect { fill: var(--bar); }
.wide { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  font-weight: normal; }
thead th { color: var(--soft); font-size: .8rem; white-space: nowrap; }
tbody th { font-family: ui-monospace, monospace; overflow-wrap: anywhere; min-width: 12rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
)";

std::string percent(double share) {
  return fmt::format("{:.1f}", 100 * std::clamp(share, 0.0, 1.0));
}

constexpr double bar_height = 22;  // of a row, in units of the drawing, which is 720 wide

std::string cut(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string svg_of(const HtmlPage::Bar& bar, double most, double top) {
  constexpr double left = 190;
  constexpr double width_max = 360;
  const double width = bar.size > 0 ? std::max(1.0, bar.size / most * width_max) : 0;
  return fmt::format(
      "<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"end\">{}</text>"
      "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"14\" rx=\"2\"/>"
      "<text x=\"{:.1f}\" y=\"{:.0f}\">{}</text>\n",
      left - 8, top + 15, html_escape(cut(bar.label, 28)), left, top + 4, width, left + width + 6,
      top + 15, html_escape(bar.value));
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          safe += c;
        } else {
          safe += "&#xfffd;";
        }
    }
  }
  return safe;
}

std::string page_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string page_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

HtmlPage::HtmlPage(std::string_view title) {
  const std::string safe = html_escape(title);
  text_ = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
      safe, style, safe);
}

void HtmlPage::paragraph(std::string_view text) { text_ += "<p>" + html_escape(text) + "</p>\n"; }

void HtmlPage::figures(const std::vector<std::pair<std::string, std::string>>& named) {
  text_ += "<dl>\n";
  for (const auto& [name, value] : named) {
    text_ += "<div><dt>" + html_escape(name) + "</dt><dd>" + html_escape(value) + "</dd></div>\n";
  }
  text_ += "</dl>\n";
}

void HtmlPage::begin_section(std::string_view title) {
  text_ += "<section>\n<h2>" + html_escape(title) + "</h2>\n";
}

void HtmlPage::end_section() { text_ += "</section>\n"; }

void HtmlPage::bars(std::string_view title, const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.size);
  if (most <= 0) return;
  const std::string safe = html_escape(title);
  text_ += fmt::format(
      "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 720 {:.0f}\" role=\"img\" "
      "aria-label=\"{}\">\n",
      safe, bar_height * static_cast<double>(bars.size()), safe);
  double top = 0;
  for (const Bar& bar : bars) {
    text_ += svg_of(bar, most, top);
    top += bar_height;
  }
  text_ += "</svg></figure>\n";
}

void HtmlPage::table(std::string_view caption, const std::vector<std::string>& header,
                     const std::vector<std::vector<Cell>>& rows) {
  text_ +=
      "<div class=\"wide\"><table>\n<caption>" + html_escape(caption) + "</caption>\n<thead><tr>";
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool number = !rows.empty() && i < rows.front().size() && rows.front()[i].number;
    text_ += number ? R"(<th scope="col" class="n">)" : R"(<th scope="col">)";
    text_ += html_escape(header[i]) + "</th>";
  }
  text_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    text_ += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) cell(row[i], i == 0);
    text_ += "</tr>\n";
  }
  text_ += "</tbody></table></div>\n";
}

void HtmlPage::cell(const Cell& cell, bool head) {
  std::string open = head ? "<th scope=\"row\"" : "<td";
  if (cell.number) open += " class=\"n\"";
  std::string looks;
  if (cell.indent > 0) looks = fmt::format("padding-left: {:.1f}rem;", 0.6 + cell.indent);
  if (cell.share >= 0) {
    const std::string share = percent(cell.share);
    looks += fmt::format("background: linear-gradient(to left, var(--tint) {}%, transparent {}%)",
                         share, share);
  }
  if (!looks.empty()) open += " style=\"" + looks + "\"";
  text_ += open + ">" + html_escape(cell.text) + (head ? "</th>" : "</td>");
}

std::string HtmlPage::take() { return std::move(text_) + "</body>\n</html>\n"; }

}  // namespace sluice::engine
