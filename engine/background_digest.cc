#include "engine/background_digest.h"

#include <chrono>
#include <vector>

namespace sluice::engine {

BackgroundDigest::BackgroundDigest() : thread_([this] { run(); }) {}

BackgroundDigest::~BackgroundDigest() {
  if (!thread_.joinable()) return;
  given_up_ = true;
  queue_.close();
  thread_.join();
}

void BackgroundDigest::finish() {
  queue_.close();
  thread_.join();
  if (thrown_) std::rethrow_exception(thrown_);
}

void BackgroundDigest::run() {
  try {
    read_blocks();
  } catch (...) {
    thrown_ = std::current_exception();
  }
  queue_.abort();  // nobody is to wait for room any more
}

void BackgroundDigest::read_blocks() {
  std::vector<std::byte> block;
  while (!given_up_) {
    const auto popped = queue_.pop(block, std::chrono::seconds(1));
    if (popped == BlockQueue::Popped::end) return;
    if (popped == BlockQueue::Popped::nothing_yet) continue;
    const auto taken = parser_.feed(block);
    if (!taken || parser_.done()) return;
    queue_.recycle(std::move(block));
  }
}

}  // namespace sluice::engine
