#include "engine/key_commands.h"

#include <utility>

namespace sluice::engine {

using Want = ExportFormat::Want;

KeyCommands::KeyCommands(net::CommandBatch& batch, std::size_t batch_bytes, OnFull on_full,
                         Target target)
    : batch_(batch),
      batch_bytes_(batch_bytes),
      on_full_(std::move(on_full)),
      target_(target),
      out_(OutputBuffer::room_max, [this](auto bytes) { return drain(bytes); }) {
  make_format();
}

void KeyCommands::make_format() {
  format_ = std::make_unique<RespFormat>(
      out_,
      RespFormat::Options{
          .limits = {}, .selects = false, .for_older = target_.is_older, .target = target_.limits});
  reader_ = std::make_unique<rdb::ValueReader>(
      *format_, rdb::ReadOptions{.texts = format_->texts(), .strict = false});
}

void KeyCommands::start_anew() {
  out_.flush();
  scanner_ = {};
  muted_ = false;
  make_format();
}

bool KeyCommands::drain(std::span<const std::byte> bytes) {
  if (muted_) return true;
  const std::size_t ended = scanner_.scan(bytes);
  batch_.raw(bytes, ended, tag_, key_);
  count_ += ended;
  return batch_.size_bytes() < batch_bytes_ || on_full_();
}

void KeyCommands::begin(const rdb::RecordHeader& record, const rdb::Header& header,
                        std::uint64_t tag, bool replace) {
  if (muted_) start_anew();
  key_.assign(record.key.begin(), record.key.end());
  tag_ = tag;
  count_ = 0;
  value_bytes_ = 0;
  problem_.clear();
  if (replace) {
    CommandText text(out_);
    text.begin(2);
    text.arg("DEL");
    text.arg(key_);
  }
  want_ = format_->begin(record);
  if (want_ == Want::events) reader_->begin(record, header);
}

bool KeyCommands::feed(std::span<const std::byte> part) {
  value_bytes_ += part.size();
  if (want_ == Want::bytes) format_->on_bytes(part);
  return want_ != Want::events || settle(reader_->feed(part));
}

bool KeyCommands::end() {
  if (want_ == Want::events && !settle(reader_->end())) return false;
  if (const auto error = format_->error()) return give_up(error->message);
  format_->end(value_bytes_);
  out_.flush();
  if (const auto error = format_->error()) return give_up(error->message);
  return out_.ok();
}

bool KeyCommands::settle(const rdb::Result<void>& outcome) {
  if (outcome) return true;
  const auto error = format_->error();  // the format knows better why it stopped the reader
  return give_up(error ? error->message : rdb::to_string(outcome.error()));
}

/// Ends the command that was begun, and takes the key away again.
bool KeyCommands::give_up(std::string why) {
  if (!out_.ok()) return false;
  problem_ = std::move(why);
  out_.flush();
  for (auto filler = scanner_.filler(); !filler.empty() && out_.ok(); filler = scanner_.filler()) {
    out_.append(filler);
    out_.flush();
  }
  CommandText text(out_);
  text.begin(2);
  text.arg("DEL");
  text.arg(key_);
  out_.flush();
  make_format();
  return false;
}

}  // namespace sluice::engine
