#include "rdb/value_reader.h"

namespace sluice::rdb {

class ValueReader::Impl {};

ValueReader::ValueReader(ValueHandler& /*handler*/, ReadOptions /*options*/) {}
ValueReader::~ValueReader() = default;
void ValueReader::begin(const RecordHeader& /*record*/, const Header& /*header*/) {}
Result<void> ValueReader::feed(std::span<const std::byte> /*part*/) { return {}; }
Result<void> ValueReader::end() { return {}; }
std::uint64_t ValueReader::unchecked() const noexcept { return 0; }

}  // namespace sluice::rdb
