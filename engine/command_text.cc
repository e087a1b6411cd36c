#include "engine/command_text.h"

#include <array>
#include <charconv>

#include "engine/stream_id.h"

namespace sluice::engine {
namespace {

template <class Number>
void append_number_arg(CommandText& command, Number number) {
  std::array<char, 32> text;
  const char* const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  command.arg(std::string_view(text.data(), end));
}

}  // namespace

void CommandText::arg_number(std::uint64_t number) { append_number_arg(*this, number); }
void CommandText::arg_number(std::int64_t number) { append_number_arg(*this, number); }
void CommandText::arg_real(double real) { append_number_arg(*this, real); }

void CommandText::arg_id(rdb::StreamId id) {
  std::array<char, stream_id_text_max> text;
  const char* const end = write_stream_id(text.data(), id);
  arg(std::string_view(text.data(), end));
}

void CommandText::arg_kept(Spool& spool, std::uint64_t offset, std::uint64_t size) {
  begin_arg(size);
  spool.for_each_piece(offset, size, [&](auto piece) {
    arg_part(piece);
    return true;
  });
  end_arg();
}

}  // namespace sluice::engine
