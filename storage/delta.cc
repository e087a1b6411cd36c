#include "storage/delta.h"

#include <fmt/format.h>

#include <cstring>

#include "storage/checksum.h"

namespace sluice::storage {
namespace {

using format::DeltaHeader;

std::unexpected<Error> refuse(Errc code, std::string_view where, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", where, what)});
}

void put_varint(std::vector<std::byte>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

/// Positions jump back as well as forth: small distances of either sign become small numbers.
std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Reads varints; once one is not whole, every later one is zero and ok() is false.
class Varints {
 public:
  explicit Varints(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t next() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && at_ < bytes_.size(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return at_ == bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

Result<DeltaHeader> read_header(std::span<const std::byte> text, std::string_view where) {
  DeltaHeader header;
  if (text.size() < sizeof header) return refuse(Errc::truncated, where, "delta");
  std::memcpy(&header, text.data(), sizeof header);
  if (header.base_bytes > format::chunk_raw_bytes_max ||
      header.result_bytes > format::chunk_raw_bytes_max) {
    return refuse(Errc::limit_exceeded, where,
                  fmt::format("delta from {} to {} bytes", header.base_bytes, header.result_bytes));
  }
  if (header.ops_bytes > text.size() - sizeof header)
    return refuse(Errc::truncated, where, "ops of a delta");
  return header;
}

/// Runs the ops. False when they leave the base, the literals or the result, or do not fill it.
bool run(const DeltaHeader& header, std::span<const std::byte> ops,
         std::span<const std::byte> literals, std::span<const std::byte> base,
         std::span<std::byte> result) {
  Varints varints(ops);
  std::int64_t base_at = 0;
  std::size_t literal_at = 0;
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < header.op_count; ++i) {
    const std::uint64_t copy_bytes = varints.next();
    if (copy_bytes > 0) {
      base_at += unzigzag(varints.next());
      if (base_at < 0 || static_cast<std::uint64_t>(base_at) > base.size()) return false;
      const auto from = static_cast<std::size_t>(base_at);
      if (copy_bytes > base.size() - from || copy_bytes > result.size() - at) return false;
      std::memcpy(result.data() + at, base.data() + from, copy_bytes);
      at += copy_bytes;
      base_at += static_cast<std::int64_t>(copy_bytes);
    }
    const std::uint64_t literal_bytes = varints.next();
    if (literal_bytes > literals.size() - literal_at || literal_bytes > result.size() - at)
      return false;
    if (literal_bytes > 0)
      std::memcpy(result.data() + at, literals.data() + literal_at, literal_bytes);
    at += literal_bytes;
    literal_at += literal_bytes;
    if (!varints.ok()) return false;
  }
  return varints.at_end() && literal_at == literals.size() && at == result.size();
}

}  // namespace

void DeltaOps::copy(std::uint32_t from, std::uint32_t size) {
  if (size == 0) return;
  result_bytes_ += size;
  if (!ops_.empty()) {
    Op& last = ops_.back();
    if (last.literal_bytes == 0 && last.copy_from + last.copy_bytes == from) {
      last.copy_bytes += size;
      return;
    }
  }
  ops_.push_back({.copy_from = from, .copy_bytes = size, .literal_bytes = 0});
}

void DeltaOps::literal(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (ops_.empty()) ops_.emplace_back();
  const auto size = static_cast<std::uint32_t>(bytes.size());
  ops_.back().literal_bytes += size;
  literals_.insert(literals_.end(), bytes.begin(), bytes.end());
  result_bytes_ += size;
}

void DeltaOps::clear() noexcept {
  ops_.clear();
  literals_.clear();
  result_bytes_ = 0;
}

void write_delta(const std::array<std::byte, 16>& base, std::uint32_t base_bytes,
                 const DeltaOps& ops, std::span<const std::byte> result,
                 std::vector<std::byte>& text) {
  DeltaHeader header;
  text.resize(sizeof header);
  std::int64_t base_at = 0;
  for (const DeltaOps::Op& op : ops.ops()) {
    put_varint(text, op.copy_bytes);
    if (op.copy_bytes > 0) {
      put_varint(text, zigzag(std::int64_t{op.copy_from} - base_at));
      base_at = std::int64_t{op.copy_from} + op.copy_bytes;
    }
    put_varint(text, op.literal_bytes);
  }
  header.base = base;
  header.base_bytes = base_bytes;
  header.result_bytes = static_cast<std::uint32_t>(result.size());
  header.result_digest = xxh3_128(result);
  header.op_count = static_cast<std::uint32_t>(ops.ops().size());
  header.ops_bytes = static_cast<std::uint32_t>(text.size() - sizeof header);
  std::memcpy(text.data(), &header, sizeof header);
  text.insert(text.end(), ops.literals().begin(), ops.literals().end());
}

Result<DeltaFacts> read_delta_facts(std::span<const std::byte> text, std::string_view where) {
  const auto header = read_header(text, where);
  if (!header) return std::unexpected(header.error());
  return DeltaFacts{.base = header->base,
                    .base_bytes = header->base_bytes,
                    .result_bytes = header->result_bytes,
                    .result_digest = header->result_digest};
}

Result<std::span<std::byte>> apply_delta(std::span<const std::byte> text,
                                         std::span<const std::byte> base,
                                         std::span<std::byte> result, std::string_view where) {
  const auto header = read_header(text, where);
  if (!header) return std::unexpected(header.error());
  if (header->base_bytes != base.size()) {
    return refuse(
        Errc::corrupt, where,
        fmt::format("delta against {} bytes, its base has {}", header->base_bytes, base.size()));
  }
  if (header->result_bytes > result.size())
    return refuse(Errc::limit_exceeded, where,
                  fmt::format("delta makes {} bytes", header->result_bytes));
  const auto body = text.subspan(sizeof *header);
  const auto filled = result.first(header->result_bytes);
  if (!run(*header, body.first(header->ops_bytes), body.subspan(header->ops_bytes), base, filled))
    return refuse(Errc::corrupt, where, "delta contradicts itself");
  if (const auto found = xxh3_128(filled); found != header->result_digest) {
    return refuse(Errc::checksum_mismatch, where,
                  fmt::format("what the delta makes, expected {}, found {}",
                              to_hex(header->result_digest), to_hex(found)));
  }
  return filled;
}

}  // namespace sluice::storage
