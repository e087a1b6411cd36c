#include "encoding_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sluice::rdb::testing {
namespace {

std::string big(std::uint64_t value, std::size_t size) {
  std::string bytes = little(value, size);
  std::ranges::reverse(bytes);
  return bytes;
}

std::string byte(std::uint64_t value) { return little(value, 1); }

bool fits(std::int64_t number, unsigned bits) {
  return number >= -(std::int64_t{1} << (bits - 1)) && number < std::int64_t{1} << (bits - 1);
}

std::string listpack_head(const Element& element) {
  const auto bits = static_cast<std::uint64_t>(element.number);
  if (!element.is_number) {
    const std::size_t size = element.text.size();
    if (size < 64) return byte(0x80 | size);
    return size < 4096 ? big(0xE000 | size, 2) : byte(0xF0) + little(size, 4);
  }
  if (element.number >= 0 && element.number < 128) return byte(bits);
  if (fits(element.number, 13)) return big(0xC000 | (bits & 0x1FFF), 2);
  if (fits(element.number, 16)) return byte(0xF1) + little(bits, 2);
  if (fits(element.number, 24)) return byte(0xF2) + little(bits, 3);
  return fits(element.number, 32) ? byte(0xF3) + little(bits, 4) : byte(0xF4) + little(bits, 8);
}

std::string back_length(std::uint64_t size, Generation generation) {
  std::size_t bytes = 1;
  while (bytes < 5) {
    const std::uint64_t greatest = (std::uint64_t{1} << (7 * bytes)) - 1;
    if (size < greatest || (size == greatest && (bytes == 1 || generation == Generation::newer))) {
      break;
    }
    ++bytes;
  }
  std::string text;
  for (std::size_t i = bytes; i-- > 0;) {
    text += byte((size >> (7 * i) & 0x7F) | (i + 1 < bytes ? 0x80 : 0));
  }
  return text;
}

std::string ziplist_head(const Element& element) {
  const auto bits = static_cast<std::uint64_t>(element.number);
  if (!element.is_number) {
    const std::size_t size = element.text.size();
    if (size < 64) return byte(size);
    return size < 16384 ? big(0x4000 | size, 2) : byte(0x80) + big(size, 4);
  }
  if (element.number >= 0 && element.number <= 12) return byte(0xF1 + bits);
  if (fits(element.number, 8)) return byte(0xFE) + little(bits, 1);
  if (fits(element.number, 16)) return byte(0xC0) + little(bits, 2);
  if (fits(element.number, 24)) return byte(0xF0) + little(bits, 3);
  return fits(element.number, 32) ? byte(0xD0) + little(bits, 4) : byte(0xE0) + little(bits, 8);
}

std::string len_id(StreamId id) { return len(id.ms) + len(id.seq); }

std::string raw_ids(const std::vector<StreamId>& ids) {
  std::string bytes = len(ids.size());
  for (const StreamId id : ids) bytes += raw_id(id);
  return bytes;
}

std::string encode_group(const StreamValue::Group& group, std::uint8_t type) {
  std::string bytes = str(group.name) + len_id(group.last);
  if (type >= 19) bytes += len(group.read);
  bytes += len(group.pending.size());
  for (const StreamId id : group.pending) bytes += raw_id(id) + little(5000, 8) + len(2);
  bytes += len(group.consumers.size());
  for (const auto& consumer : group.consumers) {
    bytes += str(consumer.name) + little(6000, 8);
    if (type >= 21) bytes += little(7000, 8);
    bytes += raw_ids(consumer.pending);
  }
  return type >= 27 ? bytes + raw_ids(group.nacked) : bytes;
}

}  // namespace

std::string len(std::uint64_t value) {
  if (value < 64) return byte(value);
  if (value < 16384) return big(0x4000 | value, 2);
  return value <= UINT32_MAX ? byte(0x80) + big(value, 4) : byte(0x81) + big(value, 8);
}

std::string str(std::string_view text) { return len(text.size()) + std::string(text); }

std::string lzf_str(std::string_view text) {
  std::string compressed;
  for (std::size_t from = 0; from < text.size(); from += 32) {
    const auto run = text.substr(from, 32);
    compressed += byte(run.size() - 1) + std::string(run);
  }
  return "\xC3" + len(compressed.size()) + len(text.size()) + compressed;
}

std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes.substr(0, size);
}

std::string real(double value) { return little(std::bit_cast<std::uint64_t>(value), 8); }

std::string raw_id(StreamId id) { return big(id.ms, 8) + big(id.seq, 8); }

std::string listpack_element(const Element& element, Generation generation) {
  const std::string entry = listpack_head(element) + element.text;
  return entry + back_length(entry.size(), generation);
}

std::string listpack_of(std::string_view elements, std::size_t count) {
  return little(elements.size() + 7, 4) + little(std::min<std::size_t>(count, 65535), 2) +
         std::string(elements) + '\xFF';
}

std::string listpack(const Elements& elements, Generation generation) {
  std::string bytes;
  for (const Element& element : elements) bytes += listpack_element(element, generation);
  return listpack_of(bytes, elements.size());
}

std::string ziplist(const Elements& elements) {
  std::string bytes;
  std::size_t previous = 0;
  std::size_t tail = 10;
  for (const Element& element : elements) {
    tail = 10 + bytes.size();
    const std::string entry = (previous < 254 ? byte(previous) : byte(0xFE) + little(previous, 4)) +
                              ziplist_head(element) + element.text;
    bytes += entry;
    previous = entry.size();
  }
  return little(bytes.size() + 11, 4) + little(tail, 4) +
         little(std::min<std::size_t>(elements.size(), 65535), 2) + bytes + '\xFF';
}

std::string intset(unsigned width, std::initializer_list<std::int64_t> numbers) {
  std::string bytes = little(width, 4) + little(numbers.size(), 4);
  for (const std::int64_t number : numbers) {
    bytes += little(static_cast<std::uint64_t>(number), width);
  }
  return bytes;
}

std::string zipmap(const std::vector<std::string>& texts, std::uint8_t free) {
  std::string bytes = byte(std::min<std::size_t>(texts.size() / 2, 254));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t size = texts[i].size();
    bytes += size < 254 ? byte(size) : byte(0xFE) + little(size, 4);
    if (i % 2 == 1) bytes += byte(free);
    bytes += texts[i];
    if (i % 2 == 1) bytes += std::string(free, '\x55');
  }
  return bytes + '\xFF';
}

std::string StreamValue::encode(std::uint8_t type) const {
  std::string bytes = len(nodes.size());
  for (const auto& [id, node] : nodes) bytes += str(raw_id(id)) + str(node);
  bytes += len(length) + len_id(last);
  if (type >= 19) bytes += len_id(first) + len_id(deleted) + len(added);
  bytes += len(groups.size());
  for (const Group& group : groups) bytes += encode_group(group, type);
  if (type < 26) return bytes;
  bytes += len(seconds) + len(items) + len(producers.size());
  for (const std::string& producer : producers) {
    bytes += str(producer) + len(1) + str("i") + len_id({1000, 0});
  }
  return bytes + len(5) + len(3);
}

}  // namespace sluice::rdb::testing
