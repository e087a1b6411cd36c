#pragma once

#include <cstdint>
#include <string>

#include "engine/export_format.h"
#include "engine/output_buffer.h"

namespace sluice::engine {

/// An inventory: one row a key, after a header row; values are counted, not shown.
/// Source: RFC 4180, with lines that end in LF alone.
class CsvFormat final : public ExportFormat {
 public:
  explicit CsvFormat(OutputBuffer& out);

  [[nodiscard]] Want begin(const rdb::RecordHeader& record) override;
  void end(std::uint64_t value_bytes) override;

  bool on_text(rdb::Role role, const rdb::Text& text) override;
  bool on_number(rdb::Role role, std::uint64_t number) override;

  /// Those whose number is the number of elements.
  [[nodiscard]] rdb::Roles texts() const override {
    return {rdb::Role::element, rdb::Role::member, rdb::Role::field};
  }

 private:
  OutputBuffer& out_;
  std::uint64_t elements_ = 0;
  bool counted_ = false;
};

}  // namespace sluice::engine
