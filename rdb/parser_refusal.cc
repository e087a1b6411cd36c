// Parser, part 4: naming a type or opcode that is not read, and what would be needed to read it.

#include <algorithm>
#include <string_view>
#include <utility>

#include "rdb/escape.h"
#include "rdb/parser.h"

namespace sluice::rdb {
namespace {

enum class Kind : std::uint8_t { type, opcode };

struct Known {
  std::uint8_t number;
  Kind kind;
  Errc code;
  std::string_view what;
};

constexpr Known common_refusals[] = {
    {6, Kind::type, Errc::unskippable_module,
     "type 6 is a module value of a Redis 4.0 release candidate and cannot be delimited; load the "
     "file with that release and save it with Redis 4.0 or later"},
    {64, Kind::type, Errc::unsupported_dialect, "type 64 is a KeyDB CRON object"},
    {192, Kind::type, Errc::unsupported_dialect, "type 192 is a Redis-on-Rocks bitmap"},
    {200, Kind::opcode, Errc::unsupported_dialect, "opcode 200 is Dragonfly's end of full sync"},
    {201, Kind::opcode, Errc::unsupported_dialect,
     "opcode 201 is a Dragonfly zstd block; save with compression off or with SAVE RDB"},
    {202, Kind::opcode, Errc::unsupported_dialect,
     "opcode 202 is a Dragonfly lz4 block; save with compression off or with SAVE RDB"},
    {220, Kind::opcode, Errc::unsupported_dialect, "opcode 220 is a Dragonfly key mask"},
    {246, Kind::opcode, Errc::unsupported_dialect,
     "opcode 246 is a function of a Redis 7.0 release candidate; released servers refuse it too"},
};

constexpr Known redis_refusals[] = {
    {29, Kind::type, Errc::unknown_type,
     "type 29 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {30, Kind::type, Errc::unknown_type,
     "type 30 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {31, Kind::type, Errc::unknown_type,
     "type 31 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {32, Kind::type, Errc::unknown_type,
     "type 32 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {33, Kind::type, Errc::unknown_type, "type 33 belongs to RDB version 15 (GCRA, Redis 8.10)"},
    {241, Kind::opcode, Errc::unknown_opcode, "opcode 241 belongs to RDB version 16 (Redis 8.12)"},
    {242, Kind::opcode, Errc::unknown_opcode,
     "opcode 242 belongs to RDB version 15 (hash templates, Redis 8.10)"},
};

constexpr Known valkey_refusals[] = {
    {23, Kind::type, Errc::unknown_type,
     "type 23 belongs to Valkey's RDB version 81 (path hash, Valkey 9.2)"},
    {242, Kind::opcode, Errc::unknown_opcode,
     "opcode 242 belongs to Valkey's RDB version 81 (forkless sync, Valkey 9.2)"},
};

const Known* find(std::span<const Known> list, std::uint8_t number) noexcept {
  for (const Known& known : list) {
    if (known.number == number) return &known;
  }
  return nullptr;
}

}  // namespace

Step Parser::refuse(std::uint8_t number) {
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
    (void)fail(known->code, std::string(known->what) + "; the stream is " + where);
    return known->kind == Kind::type ? read_refused_key() : Step::fail;
  }
  constexpr std::uint8_t first_opcode = 241;  // the lowest that a server has used
  const bool opcode = number >= first_opcode;
  (void)fail(opcode ? Errc::unknown_opcode : Errc::unknown_type,
             (opcode ? "opcode " : "type ") + std::to_string(number) + " in " + where +
                 "; it is newer than this program, of an unknown fork, or damaged");
  return opcode ? Step::fail : read_refused_key();
}

// The type is not known, but its key stands where that of every type does: the message names it.
Step Parser::read_refused_key() {
  refusal_ = std::move(error_);
  state_ = State::refused_key;
  return Step::ok;
}

Step Parser::step_refused_key() {
  constexpr std::uint64_t bytes_max = 4096;  // if this is damage, what looks like a length may lie
  std::span<const std::byte> key;
  const Step taken = tokens_.take_text(key, std::min(bytes_max, limits_.key_bytes_max));
  if (taken == Step::more) return taken;
  if (taken == Step::ok) refusal_.key = escape(key, key_head_.size());
  return fail_with_refusal();
}

Step Parser::fail_with_refusal() {
  state_ = State::failed;
  error_ = std::move(refusal_);
  return Step::fail;
}

}  // namespace sluice::rdb
