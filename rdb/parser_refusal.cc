// Parser, part 4: naming a type or opcode that is not read, and what would be needed to read it.

#include <string_view>

#include "rdb/parser.h"

namespace sluice::rdb {
namespace {

struct Known {
  std::uint8_t number;
  Errc code;
  std::string_view what;
};

constexpr Known common_refusals[] = {
    {6, Errc::unskippable_module,
     "type 6 is a module value of a Redis 4.0 release candidate and cannot be delimited; load the "
     "file with that release and save it with Redis 4.0 or later"},
    {64, Errc::unsupported_dialect, "type 64 is a KeyDB CRON object"},
    {192, Errc::unsupported_dialect, "type 192 is a Redis-on-Rocks bitmap"},
    {200, Errc::unsupported_dialect, "opcode 200 is Dragonfly's end of full sync"},
    {201, Errc::unsupported_dialect,
     "opcode 201 is a Dragonfly zstd block; save with compression off or with SAVE RDB"},
    {202, Errc::unsupported_dialect,
     "opcode 202 is a Dragonfly lz4 block; save with compression off or with SAVE RDB"},
    {220, Errc::unsupported_dialect, "opcode 220 is a Dragonfly key mask"},
    {246, Errc::unsupported_dialect,
     "opcode 246 is a function of a Redis 7.0 release candidate; released servers refuse it too"},
};

constexpr Known redis_refusals[] = {
    {29, Errc::unknown_type, "type 29 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {30, Errc::unknown_type, "type 30 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {31, Errc::unknown_type, "type 31 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {32, Errc::unknown_type, "type 32 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {33, Errc::unknown_type, "type 33 belongs to RDB version 15 (GCRA, Redis 8.10)"},
    {241, Errc::unknown_opcode, "opcode 241 belongs to RDB version 16 (Redis 8.12)"},
    {242, Errc::unknown_opcode,
     "opcode 242 belongs to RDB version 15 (hash templates, Redis 8.10)"},
};

constexpr Known valkey_refusals[] = {
    {23, Errc::unknown_type, "type 23 belongs to Valkey's RDB version 81 (path hash, Valkey 9.2)"},
    {242, Errc::unknown_opcode,
     "opcode 242 belongs to Valkey's RDB version 81 (forkless sync, Valkey 9.2)"},
};

const Known* find(std::span<const Known> list, std::uint8_t number) noexcept {
  for (const Known& known : list) {
    if (known.number == number) return &known;
  }
  return nullptr;
}

}  // namespace

Parser::Step Parser::refuse(std::uint8_t number) {
  const bool redis = header_.dialect == Dialect::redis;
  std::string where = redis ? "RDB version " : "Valkey RDB version ";
  where += std::to_string(header_.version);
  if (!fork_.empty()) where += " written by " + std::string(fork_);

  const std::span<const Known> own =
      redis ? std::span<const Known>(redis_refusals) : std::span<const Known>(valkey_refusals);
  // A fork's numbers collide with those of later versions: what it wrote is not looked up there.
  const Known* known = fork_.empty() ? find(own, number) : nullptr;
  if (known == nullptr) known = find(common_refusals, number);
  if (known != nullptr) {
    return fail(known->code, std::string(known->what) + "; the stream is " + where);
  }
  constexpr std::uint8_t first_opcode = 241;  // the lowest that a server has used
  const bool opcode = number >= first_opcode;
  const std::string text = (opcode ? "opcode " : "type ") + std::to_string(number) + " in " +
                           where +
                           "; it is newer than this program, of an unknown fork, or damaged";
  return fail(opcode ? Errc::unknown_opcode : Errc::unknown_type, text);
}

}  // namespace sluice::rdb
