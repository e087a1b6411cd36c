#include "storage/backup_id.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "storage/checksum.h"

namespace sluice::storage {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t time_ms_end = 253'402'300'800'000;  // the year 10000

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::optional<std::uint32_t> parse_hex32(std::string_view text) {
  std::array<std::byte, 4> bytes{};
  if (!from_hex(text, bytes)) return std::nullopt;
  std::uint32_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

unsigned decimal(std::string_view text, std::size_t at, std::size_t digits) noexcept {
  unsigned value = 0;
  for (const char c : text.substr(at, digits)) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

}  // namespace

bool has_text(const BackupId& id) noexcept { return id.time_ms < time_ms_end; }

std::string to_string(const BackupId& id) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): calendar arithmetic
  const sys_time<milliseconds> time{milliseconds(id.time_ms)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}{:03}Z-{:08x}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count(), id.random);
}

std::optional<BackupId> parse_backup_id(std::string_view text) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): calendar arithmetic
  if (text.size() != BackupId::text_size || text[8] != 'T' || text[18] != 'Z' || text[19] != '-')
    return std::nullopt;
  if (!std::ranges::all_of(text.substr(0, 8), is_digit)) return std::nullopt;
  if (!std::ranges::all_of(text.substr(9, 9), is_digit)) return std::nullopt;
  const auto random = parse_hex32(text.substr(20));
  if (!random) return std::nullopt;

  const year_month_day date(year(static_cast<int>(decimal(text, 0, 4))), month(decimal(text, 4, 2)),
                            day(decimal(text, 6, 2)));
  if (!date.ok()) return std::nullopt;
  const auto time = sys_days(date) + hours(decimal(text, 9, 2)) + minutes(decimal(text, 11, 2)) +
                    seconds(decimal(text, 13, 2)) + milliseconds(decimal(text, 15, 3));
  const auto since_epoch = time.time_since_epoch().count();
  if (since_epoch < 0) return std::nullopt;
  const BackupId id{.time_ms = static_cast<std::uint64_t>(since_epoch), .random = *random};
  if (to_string(id) != text) return std::nullopt;  // an hour of 61, say
  return id;
}

Result<BackupId> make_backup_id(std::optional<BackupId> newest) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ms = std::chrono::duration_cast<milliseconds>(now).count();
  BackupId id{.time_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms, 0))};
  if (newest && id.time_ms <= newest->time_ms) id.time_ms = newest->time_ms + 1;
  if (!has_text(id)) {
    return std::unexpected(Error{.code = Errc::limit_exceeded,
                                 .detail = "backup id: the clock, or the newest id, is at the end "
                                           "of the year 9999"});
  }
  if (auto ok = fill_random(std::as_writable_bytes(std::span(&id.random, 1))); !ok)
    return std::unexpected(std::move(ok.error()));
  return id;
}

std::string to_string(const PackId& id) {
  return fmt::format("{}-{:08x}", to_string(id.backup), id.sequence);
}

std::optional<PackId> parse_pack_id(std::string_view text) {
  if (text.size() != PackId::text_size || text[BackupId::text_size] != '-') return std::nullopt;
  const auto backup = parse_backup_id(text.substr(0, BackupId::text_size));
  const auto sequence = parse_hex32(text.substr(BackupId::text_size + 1));
  if (!backup || !sequence) return std::nullopt;
  return PackId{.backup = *backup, .sequence = *sequence};
}

unsigned shard_of(const PackId& id) noexcept {
  return (id.backup.random + id.sequence) % format::shard_count;
}

std::string shard_name(unsigned shard) { return fmt::format("{:02x}", shard); }

Result<void> check_instance_name(std::string_view instance) {
  constexpr std::size_t size_max = 128;
  const auto is_inner = [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
  };
  const bool fits = !instance.empty() && instance.size() <= size_max &&
                    (is_letter(instance[0]) || is_digit(instance[0])) &&
                    std::ranges::all_of(instance, is_inner);
  if (fits) return {};
  return std::unexpected(
      Error{.code = Errc::bad_name,
            .detail = fmt::format("instance \"{}\" (a letter or digit, then up to 127 of letters, "
                                  "digits, '.', '_', '-')",
                                  instance.substr(0, size_max))});
}

Result<void> fill_random(std::span<std::byte> into) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(into.data()), static_cast<int>(into.size())) == 1)
    return {};
  return std::unexpected(system_error(EIO, "RAND_bytes", "random number generator"));
}

}  // namespace sluice::storage
