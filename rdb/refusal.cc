#include "rdb/refusal.h"

#include <algorithm>
#include <utility>

#include "rdb/escape.h"

namespace sluice::rdb {
namespace {

enum class Kind : std::uint8_t { type, opcode };

/// A number of the servers that the dialect is of.
struct Known {
  std::uint8_t number;
  Kind kind;
  Errc code;
  unsigned since;  // RDB version
  std::string_view what;
};

constexpr Known common_numbers[] = {
    {6, Kind::type, Errc::unskippable_module, 8,
     "type 6 is a module value of a Redis 4.0 release candidate and cannot be delimited; load the "
     "file with that release and save it with Redis 4.0 or later"},
    {246, Kind::opcode, Errc::unsupported_dialect, 10,
     "opcode 246 is a function of a Redis 7.0 release candidate; released servers refuse it too"},
};

constexpr Known redis_numbers[] = {
    {29, Kind::type, Errc::unknown_type, 15,
     "type 29 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {30, Kind::type, Errc::unknown_type, 15,
     "type 30 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {31, Kind::type, Errc::unknown_type, 15,
     "type 31 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {32, Kind::type, Errc::unknown_type, 15,
     "type 32 belongs to RDB version 15 (hash template, Redis 8.10)"},
    {33, Kind::type, Errc::unknown_type, 15,
     "type 33 belongs to RDB version 15 (GCRA, Redis 8.10)"},
    {241, Kind::opcode, Errc::unknown_opcode, 16,
     "opcode 241 belongs to RDB version 16 (Redis 8.12)"},
    {242, Kind::opcode, Errc::unknown_opcode, 15,
     "opcode 242 belongs to RDB version 15 (hash templates, Redis 8.10)"},
};

constexpr Known valkey_numbers[] = {
    {23, Kind::type, Errc::unknown_type, 81,
     "type 23 belongs to Valkey's RDB version 81 (path hash, Valkey 9.2)"},
    {242, Kind::opcode, Errc::unknown_opcode, 81,
     "opcode 242 belongs to Valkey's RDB version 81 (forkless sync, Valkey 9.2)"},
};

/// A number of a fork, all of which write the magic REDIS.
struct ForkNumber {
  std::uint8_t number;
  Kind kind;
  std::string_view program;
  std::string_view what;
  std::string_view advice;
};

constexpr std::string_view dragonfly = "Dragonfly";
constexpr std::string_view own_file =
    "SAVE RDB there, or --df_snapshot_format=false, writes a file without it";
constexpr std::string_view own_replication =
    "it belongs to Dragonfly's own replication; read a file that SAVE RDB there writes";
constexpr std::string_view by_json =
    "SAVE RDB writes it too; carry such keys over by JSON.GET and JSON.SET";
constexpr std::string_view by_module =
    "SAVE RDB writes it too; carry such keys over by commands, or save without them";

constexpr ForkNumber fork_numbers[] = {
    {20, Kind::type, dragonfly, "a JSON document", by_json},
    {30, Kind::type, dragonfly, "a JSON document", by_json},
    {31, Kind::type, dragonfly, "a hash whose fields expire",
     "SAVE RDB writes it too; carry such keys over by HSET and HPEXPIREAT"},
    {32, Kind::type, dragonfly, "a set whose members expire",
     "SAVE RDB writes it too; carry such keys over by SADD, without the expiries, which no other "
     "server has"},
    {33, Kind::type, dragonfly, "a Bloom filter", by_module},
    {34, Kind::type, dragonfly, "a Bloom filter in chunks", by_module},
    {35, Kind::type, dragonfly, "a count-min sketch", by_module},
    {36, Kind::type, dragonfly, "a top-k list", by_module},
    {37, Kind::type, dragonfly, "a cuckoo filter", by_module},
    {64, Kind::type, "KeyDB", "a CRON object", "no other server has them; save without such keys"},
    {101, Kind::opcode, "Redis Enterprise", "a private opcode, GCAS", ""},
    {102, Kind::opcode, "Redis Enterprise", "a private opcode, GFLAGS", ""},
    {107, Kind::opcode, "Redis Enterprise", "a private opcode, RAM_LRU", ""},
    {121, Kind::opcode, "Redis Enterprise", "a private opcode, SLOT_NUM", ""},
    {192, Kind::type, "Redis-on-Rocks", "a bitmap", ""},
    {200, Kind::opcode, dragonfly, "the end of a full sync", own_replication},
    {201, Kind::opcode, dragonfly, "a block compressed by zstd", own_file},
    {202, Kind::opcode, dragonfly, "a block compressed by lz4", own_file},
    {203, Kind::opcode, dragonfly, "the end of a compressed block", own_file},
    {210, Kind::opcode, dragonfly, "a block of the journal", own_replication},
    {211, Kind::opcode, dragonfly, "an offset in the journal", own_replication},
    {220, Kind::opcode, dragonfly, "a key mask",
     "SAVE RDB writes it too, before keys that STICK marked or that have memcached flags; save "
     "without such keys"},
    {222, Kind::opcode, dragonfly, "a vector index", own_file},
    {223, Kind::opcode, dragonfly, "an index of documents", own_file},
    {224, Kind::opcode, dragonfly, "a chunk of a value", own_file},
};
constexpr std::uint8_t key_mask = 220;
constexpr std::uint8_t set_listpack = 20;

template <class Row, std::size_t size>
const Row* find(const Row (&rows)[size], std::uint8_t number) noexcept {
  const Row* const found = std::ranges::find(rows, number, &Row::number);
  return found == std::ranges::end(rows) ? nullptr : found;
}

const Known* find_known(Dialect dialect, std::string_view writer, std::uint8_t number) noexcept {
  if (const Known* common = find(common_numbers, number)) return common;
  if (dialect == Dialect::valkey) return find(valkey_numbers, number);
  // The numbers of a fork collide with those that later servers took.
  return writer.empty() ? find(redis_numbers, number) : nullptr;
}

/// Where nothing says who wrote the stream: whether a fork may have, given that Redis may.
bool may_be_of_fork(const Header& header, const Known* known) noexcept {
  constexpr unsigned version_known_whole = 14;  // above, a number may be one of Redis all the same
  if (header.dialect != Dialect::redis || header.version > version_known_whole) return false;
  return known == nullptr || known->since > header.version;
}

std::string name_of(Kind kind, std::uint8_t number) {
  return (kind == Kind::type ? "type " : "opcode ") + std::to_string(number);
}

Refusal refusal_of(Kind kind, std::string detail) {
  const bool type = kind == Kind::type;
  return {.code = type ? Errc::unknown_type : Errc::unknown_opcode,
          .key = type ? Refusal::Key::follows : Refusal::Key::none,
          .detail = std::move(detail)};
}

std::string with_advice(const ForkNumber& fork, std::string_view before) {
  std::string text(fork.what);
  if (!fork.advice.empty()) text.append(before).append(fork.advice);
  return text;
}

Refusal refuse_fork(const ForkNumber& fork, std::string_view where) {
  std::string detail = name_of(fork.kind, fork.number) + " is ";
  detail.append(fork.what).append(" of ").append(fork.program);
  if (!fork.advice.empty()) detail.append("; ").append(fork.advice);
  Refusal refusal = refusal_of(fork.kind, detail.append("; the stream is ").append(where));
  refusal.code = Errc::unsupported_dialect;
  if (fork.number == key_mask) refusal.key = Refusal::Key::after_mask;
  return refusal;
}

Refusal refuse_unknown(std::uint8_t number, std::string_view writer, std::string_view where) {
  // From where on the numbers are those of opcodes.
  const std::uint8_t first_opcode = writer == dragonfly ? 200 : 241;
  const Kind kind = number < first_opcode ? Kind::type : Kind::opcode;
  return refusal_of(kind, name_of(kind, number) + " in " + std::string(where) +
                              "; it is newer than this program, of an unknown fork, or damaged");
}

}  // namespace

Refusal refuse_number(const Header& header, std::string_view writer, std::uint8_t number) {
  std::string where = header.dialect == Dialect::redis ? "RDB version " : "Valkey RDB version ";
  where += std::to_string(header.version);
  if (!writer.empty()) where.append(" written by ").append(writer);

  const Known* known = find_known(header.dialect, writer, number);
  const ForkNumber* fork = find(fork_numbers, number);
  if (fork != nullptr && fork->program == writer) return refuse_fork(*fork, where);

  std::string guess;
  if (fork != nullptr && writer.empty() && may_be_of_fork(header, known)) {
    guess = "; if " + std::string(fork->program) + " wrote it, it is " + with_advice(*fork, ": ");
  }
  if (known != nullptr) {
    Refusal refusal =
        refusal_of(known->kind, std::string(known->what) + "; the stream is " + where);
    refusal.code = known->code;
    refusal.detail += guess;
    return refusal;
  }
  if (guess.empty()) return refuse_unknown(number, writer, where);
  return refusal_of(fork->kind, name_of(fork->kind, number) + " in " + where + guess +
                                    "; else it is of an unknown fork, or damaged");
}

// Valkey 9.2 may put the whole stream into a frame of lz4 or zstd, with seven bytes before it:
// "VCS", version, codec, 0, and 1 for a file.
std::string refuse_magic(std::span<const std::byte> magic) {
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
  const std::string found = "found \"" + escape(magic) + '"';
  const std::string plain = R"(have it saved with "rdbcompression yes" or "no")";
  if (text.starts_with("VKCS")) {
    return found + ", as compressed streams of an unreleased Valkey begin; " + plain;
  }
  if (!text.starts_with("VCS")) return found + ", expected REDISnnnn or VALKEYnnn";

  using namespace std::string_view_literals;
  const bool lz4 = text.starts_with("VCS\1\1\0\1"sv);
  if (!lz4 && !text.starts_with("VCS\1\2\0\1"sv)) {
    return found + ", as compressed streams of Valkey 9.2 begin; " + plain;
  }
  const std::string tool = lz4 ? "lz4" : "zstd";
  return "found a stream of Valkey 9.2 that is compressed by " + tool + "; " + plain +
         ", or decompress it: tail -c +8 FILE | " + tool + " -d";
}

std::string_view writer_of_aux(std::string_view name) noexcept {
  if (name == "df-ver") return dragonfly;
  if (name == "valkey-ver") return "Valkey";
  if (name == "mvcc-tstamp" || name == "repl-masters") return "KeyDB";
  return {};
}

// Dragonfly numbered JSON documents 20 before Redis took that, and reads it so below version 10.
bool is_taken_by_fork(const Header& header, std::string_view writer, std::uint8_t type) noexcept {
  return type == set_listpack && writer == dragonfly && header.version < 10;
}

}  // namespace sluice::rdb
