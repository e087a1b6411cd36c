#include "engine/direct_text.h"

namespace sluice::engine {

void DirectText::begin_base64() {
  is_base64_ = true;
  out_.append(R"({"$base64":")");
  kept_.for_each_piece(0, kept_.size(), [&](auto piece) {
    base64_.append(piece);
    return true;
  });
}

void DirectText::add_part(const rdb::Text& part) {
  if (part.first) {
    kept_.clear();
    checker_ = Utf8Checker();
    is_base64_ = false;
  }
  if (!is_base64_) {
    if (!checker_.feed(part.bytes) || (part.last && !checker_.complete())) begin_base64();
  }
  if (is_base64_) {
    base64_.append(part.bytes);
  } else {
    kept_.append(part.bytes);
  }
  if (!part.last) return;
  if (is_base64_) {
    base64_.finish();
    out_.append(R"("})");
    return;
  }
  out_.append('"');
  kept_.for_each_piece(0, kept_.size(), [&](auto piece) {
    append_json_escaped(out_, piece);
    return true;
  });
  out_.append('"');
}

}  // namespace sluice::engine
