#include "terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace sluice::tools {
namespace {

constexpr double plain_interval_s = 10;

std::string bar(double share) {
  constexpr std::size_t width = 24;
  const auto filled = static_cast<std::size_t>(share * width);
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
}

std::string progress_text(const Progress& progress) {
  std::string text(progress.phase);
  if (progress.bytes == 0) return text + fmt::format(", {}", human_seconds(progress.seconds));
  const double rate = static_cast<double>(progress.bytes) / std::max(progress.seconds, 0.001);
  if (progress.bytes_total && *progress.bytes_total > 0) {
    // The RDB that is made of a backup may be somewhat longer than the one that was received.
    const double share = std::min(
        static_cast<double>(progress.bytes) / static_cast<double>(*progress.bytes_total), 1.0);
    const double left = progress.seconds * (1 - share) / std::max(share, 0.001);
    text += fmt::format(" {} {:.0f} %, {} left", bar(share), share * 100, human_seconds(left));
  }
  return text + fmt::format(", {} keys, {}, {}/s", human_count(progress.keys),
                            human_bytes(progress.bytes),
                            human_bytes(static_cast<std::uint64_t>(rate)));
}

}  // namespace

TerminalObserver::TerminalObserver(bool quiet)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

TerminalObserver::~TerminalObserver() { erase_line(); }

void TerminalObserver::on_progress(const Progress& progress) {
  if (quiet_) return;
  if (terminal_) {
    fmt::print(stderr, "\r\033[K{}", progress_text(progress));
    std::fflush(stderr);
    drawn_ = true;
  } else if (progress.seconds - last_plain_ >= plain_interval_s) {
    last_plain_ = progress.seconds;
    fmt::print(stderr, "{}\n", progress_text(progress));
  }
}

void TerminalObserver::on_notice(std::string_view text) {
  erase_line();
  fmt::print(stderr, "sluice: {}\n", text);
}

void TerminalObserver::erase_line() {
  if (!std::exchange(drawn_, false)) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string human_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string human_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string human_types(const std::map<std::string, std::uint64_t>& types) {
  std::string text;
  for (const auto& [type, count] : types) {
    if (!text.empty()) text += ", ";
    text += type + " " + human_count(count);
  }
  return text.empty() ? "none" : text;
}

void print_table(const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  std::vector<std::string> titles;
  for (const std::string& title : header) {
    right.push_back(title.starts_with('>'));
    titles.push_back(right.back() ? title.substr(1) : title);
    widths.push_back(titles.back().size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += right[i] ? fmt::format("{:>{}}", row[i], widths[i])
                       : fmt::format("{:<{}}", row[i], widths[i]);
      line += "  ";
    }
    line.resize(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  };
  print_row(titles);
  for (const auto& row : rows) print_row(row);
}

void print_fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t width = 0;
  for (const auto& [label, value] : fields) width = std::max(width, label.size());
  for (const auto& [label, value] : fields) {
    fmt::print("{:<{}}  {}\n", label + ":", width + 1, value);
  }
}

}  // namespace sluice::tools
