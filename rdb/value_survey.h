#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rdb/downgrade.h"
#include "rdb/stream_state.h"
#include "rdb/value_handler.h"

namespace sluice::rdb {

/// Where a type without inner encoding has the expiry of a hash field.
enum class FieldExpiry : std::uint8_t { none, before, after };
[[nodiscard]] FieldExpiry field_expiry_of(const ValueType& type) noexcept;

/// The pending ids of a group that belong to no consumer.
struct NackedGroup {
  std::uint64_t group = 0;  ///< Counted from 0, in the order of the stream.
  std::uint64_t ids = 0;
};

/// What has to be known of a value before it can be written in another encoding: counts stand in
/// front of what they count.
///
/// Memory: eight bytes for each field of a hash when `begin` is told to keep the expiries; 16 bytes
/// a group with a NACK zone.
class ValueSurvey final : public ValueHandler {
 public:
  /// `as`: what the value is to become.
  void begin(const ValueType& as);
  /// What the target cannot say, once the value was seen. `from`: what it is.
  [[nodiscard]] Losses losses(const ValueType& from, const ValueType& as) const;

  /// Elements, members, fields or array elements.
  [[nodiscard]] std::uint64_t elements() const noexcept { return elements_; }
  /// Whether any length in it needs more than 32 bits.
  [[nodiscard]] bool is_wide() const noexcept;
  /// The least expiry of a field, if any has one.
  [[nodiscard]] std::optional<std::uint64_t> min_expiry() const noexcept { return min_expiry_; }
  /// Of each field in order, 0 for none; the last ones that have none are left out.
  [[nodiscard]] const std::vector<std::uint64_t>& expiries() const noexcept { return expiries_; }

  [[nodiscard]] const std::vector<NackedGroup>& nacked_groups() const noexcept { return nacked_; }
  /// A name that no consumer of the stream has.
  [[nodiscard]] std::string free_consumer_name() const;

  bool on_text(Role role, const Text& text) override;
  bool on_number(Role role, std::uint64_t number) override;
  bool on_stream_id(Role role, StreamId id) override;

 private:
  void take_consumer(const Text& text);

  static constexpr std::size_t name_bytes_max = 64;

  bool keep_expiries_ = false;
  std::uint64_t elements_ = 0;
  std::uint64_t longest_ = 0;  // text
  std::optional<std::uint64_t> min_expiry_;
  std::vector<std::uint64_t> expiries_;

  // A stream, and what older encodings would make a reader believe of it.
  StreamState assumed_;
  std::uint64_t groups_ = 0;
  StreamId group_last_id_;
  bool history_differs_ = false;
  bool active_times_differ_ = false;
  bool has_producers_ = false;
  std::uint64_t seen_time_ = 0;
  std::vector<NackedGroup> nacked_;
  std::array<char, name_bytes_max> name_{};  // of the consumer being read
  std::size_t name_size_ = 0;
  std::size_t primes_ = 0;  // that make the name differ from all seen
};

}  // namespace sluice::rdb
