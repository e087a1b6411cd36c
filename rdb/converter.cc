#include "rdb/converter.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>
#include <utility>

#include "rdb/module_id.h"

namespace sluice::rdb {
namespace {

constexpr unsigned aux_version = 7;
constexpr unsigned wide_len_version = 8;
constexpr unsigned eviction_version = 9;
constexpr unsigned functions_version = 10;
constexpr unsigned key_meta_version = 13;

/// Fields that say something of the data; the others are about the server or its replication.
constexpr std::array<std::string_view, 5> carried{"redis-ver", "valkey-ver", "redis-bits", "ctime",
                                                  "used-mem"};

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Vector sets are a module's values to the format, but of a module that is part of Redis from 8.0
/// on and of no other server: elsewhere one of them keeps the whole file from being loaded.
bool is_vector_set(std::span<const std::byte> id) noexcept {
  constexpr std::array<std::uint8_t, 9> front{0x81, 0xBD, 0xE7, 0x2D, 0xA2, 0xBB, 0x1E, 0xB4, 0x00};
  constexpr std::size_t name_bytes = 7;  // six bits more are of the name, ten of the version
  const auto is_same = [](std::byte one, std::uint8_t other) {
    return std::to_integer<std::uint8_t>(one) == other;
  };
  return id.size() == front.size() &&
         std::ranges::equal(id.first(name_bytes), std::span(front).first(name_bytes), is_same) &&
         (std::to_integer<unsigned>(id[name_bytes]) & 0xFC) == front[name_bytes];
}

/// Redis 8.6 writes their nodes in a way that 8.0 does not read, under the same version of the
/// module.
bool takes_vector_sets(const Header& source, const Header& target) noexcept {
  constexpr unsigned first_version = 12;
  if (target.dialect != Dialect::redis || target.version < first_version) return false;
  return target.version > first_version || source.version == first_version;
}

/// A server whose own dumps have this version.
std::string_view server_version(const Header& header) noexcept {
  if (header.dialect == Dialect::valkey) return "9.0.0";
  constexpr std::array<std::string_view, 8> redis{"3.2.0", "4.0.0", "6.2.0", "7.0.0",
                                                  "7.2.0", "8.0.0", "8.6.0", "8.8.0"};
  return redis[header.version - aux_version];
}

/// "#!lua name=mylib" of a library's source.
std::span<const std::byte> first_line(std::span<const std::byte> source) {
  const auto end = std::ranges::find(source, std::byte{'\n'});
  return source.first(static_cast<std::size_t>(end - source.begin()));
}

}  // namespace

Converter::Converter(Writer& writer, ValueStore& store, OnLoss on_loss)
    : writer_(writer), store_(store), on_loss_(std::move(on_loss)), target_(writer.header()) {
  assert(is_writable(target_));
}

bool Converter::on_header(const Header& header) {
  source_ = header;
  return true;
}

bool Converter::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  if (text(key) == "lua") {
    open();
    if (target_.version >= aux_version && target_.version < functions_version) {
      writer_.aux(key, value);
    } else {
      ++counts_.scripts_left_out;
    }
    return true;
  }
  constexpr std::size_t value_bytes_max = 256;
  const bool carries = std::ranges::find(carried, text(key)) != carried.end();
  const auto is_same = [&](const AuxField& field) { return field.key == text(key); };
  if (open_ || !carries || value.size() > value_bytes_max) return true;
  if (std::ranges::none_of(aux_, is_same)) {
    aux_.push_back({std::string(text(key)), std::string(text(value))});
  }
  return true;
}

/// Once it is known what the source says of itself.
void Converter::open() {
  if (open_) return;
  open_ = true;
  writer_.begin();
  if (target_.version < aux_version) return;
  write_version();
  for (const AuxField& field : aux_) {
    if (!field.key.ends_with("-ver")) writer_.aux(field.key, field.value);
  }
}

void Converter::write_version() {
  const bool same = source_.dialect == target_.dialect && source_.version == target_.version;
  const auto is_version = [](const AuxField& field) { return field.key.ends_with("-ver"); };
  const auto own = std::ranges::find_if(aux_, is_version);
  if (same && own != aux_.end()) {
    writer_.aux(own->key, own->value);
  } else {
    const bool redis = target_.dialect == Dialect::redis;
    writer_.aux(redis ? "redis-ver" : "valkey-ver", server_version(target_));
  }
}

bool Converter::on_database(std::uint64_t db) {
  db_ = db;
  database_size_.reset();
  return true;
}

bool Converter::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  database_size_ = {.keys = keys, .expires = expires};
  return true;
}

bool Converter::on_function(std::span<const std::byte> source) {
  open();
  if (target_.version >= functions_version) {
    writer_.function(source);
    ++counts_.functions;
    return true;
  }
  ++counts_.functions_left_out;
  on_loss_({.of = ConversionLoss::Of::function, .name = first_line(source)});
  return true;
}

// The parser delimits what the module wrote and does not hand it on.
bool Converter::on_module_aux(std::uint64_t module_id, std::uint64_t) {
  ++counts_.module_aux_left_out;
  if (std::ranges::find(modules_told_, module_id) != modules_told_.end()) return true;
  modules_told_.push_back(module_id);
  const std::string name = module_name(module_id);
  on_loss_({.of = ConversionLoss::Of::module_aux, .name = bytes(name)});
  return true;
}

bool Converter::on_record_begin(const RecordHeader& record) {
  open();
  ++counts_.keys;
  losses_ = {};
  refusal_.reset();
  fit_ = fit(*record.type, source_, target_);
  keep(record);
  const bool takes_key_meta = target_.dialect == Dialect::redis &&
                              target_.version >= key_meta_version &&
                              source_.version >= wide_len_version;
  if (!record.key_meta.empty() && !takes_key_meta) {
    losses_.add(Loss::key_meta);
    record_.key_meta = {};
  }
  switch (fit_.way) {
    case Fit::Way::verbatim:
      is_held_ = fit_.type->logical == LogicalType::module && !takes_vector_sets(source_, target_);
      module_id_bytes_ = 0;
      if (is_held_) store_.clear();
      if (!is_held_) write_head(record_, *fit_.type);
      break;
    case Fit::Way::transcode:
      store_.clear();
      transcoder_.begin(record_, source_, target_, *fit_.type);
      break;
    case Fit::Way::none: break;
  }
  return true;
}

void Converter::keep(const RecordHeader& record) {
  record_ = record;
  key_.assign(record.key.begin(), record.key.end());
  key_meta_.assign(record.key_meta.begin(), record.key_meta.end());
  record_.key = key_;
  record_.key_meta = key_meta_;
}

void Converter::write_head(const RecordHeader& record, const ValueType& type) {
  select_database(record.db);
  if (record.expire_at_ms) {
    writer_.expire_at_ms(*record.expire_at_ms);
    ++counts_.expiring;
  }
  if (record.lru_idle_s || record.lfu_freq) {
    if (target_.version < eviction_version) {
      ++counts_.lru_lfu_left_out;
    } else {
      if (record.lru_idle_s) writer_.idle(*record.lru_idle_s);
      if (record.lfu_freq) writer_.freq(*record.lfu_freq);
    }
  }
  writer_.raw(record.key_meta);
  writer_.record(type.number, record.key);
}

void Converter::select_database(std::uint64_t db) {
  if (written_db_ == db) return;
  written_db_ = db;
  writer_.select_db(db);
  if (!database_size_ || db != db_ || target_.version < aux_version) return;
  writer_.resize_db(database_size_->keys, database_size_->expires);
}

bool Converter::on_value_part(std::span<const std::byte> part) {
  switch (fit_.way) {
    case Fit::Way::verbatim:
      if (is_held_) {
        hold(part);
      } else {
        writer_.raw(part);
      }
      return true;
    case Fit::Way::transcode: break;
    case Fit::Way::none: return true;
  }
  if (refusal_) return true;
  store_.append(part);
  if (auto surveyed = transcoder_.survey(part); !surveyed) refusal_ = std::move(surveyed.error());
  return true;
}

bool Converter::on_record_end(std::uint64_t) {
  switch (fit_.way) {
    case Fit::Way::verbatim:
      if (is_held_ && is_vector_set(std::span(module_id_).first(module_id_bytes_))) {
        leave_out(nullptr);
        return true;
      }
      if (is_held_) end_module();
      ++counts_.verbatim;
      tell_losses(nullptr);
      return true;
    case Fit::Way::transcode: return end_transcode();
    case Fit::Way::none: leave_out(nullptr); return true;
  }
  std::unreachable();
}

void Converter::hold(std::span<const std::byte> part) {
  store_.append(part);
  const std::size_t size = std::min(part.size(), module_id_.size() - module_id_bytes_);
  std::copy_n(part.begin(), size, module_id_.begin() + module_id_bytes_);
  module_id_bytes_ += size;
}

void Converter::end_module() {
  write_head(record_, *fit_.type);
  store_.replay([&](std::span<const std::byte> part) {
    writer_.raw(part);
    return true;
  });
}

bool Converter::end_transcode() {
  if (refusal_) {
    leave_out(&*refusal_);
    return true;
  }
  const auto outcome = transcoder_.end_survey();
  if (!outcome) {
    leave_out(&outcome.error());
    return true;
  }
  losses_.add(outcome->losses);
  if (losses_.has(Loss::value)) {
    leave_out(nullptr);
    return true;
  }
  write_head(record_, *outcome->type);
  if (!emit()) return false;
  ++counts_.transcoded;
  tell_losses(nullptr);
  return true;
}

bool Converter::emit() {
  store_.replay([&](std::span<const std::byte> part) {
    auto emitted = transcoder_.emit(part, writer_);
    if (!emitted) error_ = std::move(emitted.error());
    return !error_;
  });
  if (error_) return false;
  if (auto ended = transcoder_.end_emit(); !ended) error_ = std::move(ended.error());
  return !error_;
}

void Converter::leave_out(const Error* error) {
  ++counts_.left_out;
  losses_ = {};
  losses_.add(Loss::value);
  tell_losses(error);
}

void Converter::tell_losses(const Error* error) {
  if (losses_.empty()) return;
  if (!losses_.has(Loss::value)) ++counts_.reduced;
  on_loss_({.of = ConversionLoss::Of::key,
            .db = record_.db,
            .name = key_,
            .type = record_.type,
            .losses = losses_,
            .error = error});
}

bool Converter::on_end(const Trailer&) {
  open();
  writer_.end();
  return true;
}

}  // namespace sluice::rdb
