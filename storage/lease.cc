#include "storage/lease.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "storage/directory_store.h"

namespace sluice::storage {
namespace {

std::uint64_t unix_now_ms() noexcept {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

std::string title(const BackupKey& key) {
  return fmt::format("backup {}/{}", key.instance, key.id);
}

Error changed(const Head& now) {
  if (now.state != HeadState::fenced) {
    return {.code = Errc::changed,
            .detail = fmt::format("HEAD of {}, by pid {} on {}", title(now.key), now.owner.pid,
                                  now.owner.host)};
  }
  const Owner by = now.fenced_by.value_or(Owner{});
  return {.code = Errc::fenced,
          .detail = fmt::format("{}, by pid {} on {}", title(now.key), by.pid, by.host)};
}

}  // namespace

Result<void> swap_head(const Layout& layout, const Head& from, Head& to) {
  auto root = open_directory(layout.root(), ".");
  if (!root) return std::unexpected(std::move(root.error()));
  root->path = layout.path();
  DirectoryStore store(*std::move(root));
  const std::string name = Layout::backup_name(from.key, name::head);
  const auto object = store.get(name, format::text_bytes_max);
  if (!object) return std::unexpected(object.error());
  const auto now = parse_head(object->bytes, layout.root().path_of(name), layout.head_key());
  if (!now) return std::unexpected(now.error());
  if (now->state != from.state || now->generation != from.generation)
    return std::unexpected(changed(*now));
  to.generation = from.generation + 1;
  const auto version = store.put_if_match(name, serialize(to, layout.head_key()), object->version);
  if (version) return {};
  if (version.error().code != Errc::changed) return std::unexpected(version.error());
  const auto then = layout.head(from.key);
  return std::unexpected(then && *then ? changed(**then) : version.error());
}

Result<bool> fence(const Layout& layout, const Head& running) {
  Head fenced = running;
  fenced.state = HeadState::fenced;
  fenced.fenced_by = this_process();
  const auto swapped = swap_head(layout, running, fenced);
  if (swapped) return true;
  const std::error_code code = swapped.error().code;
  if (code == Errc::changed || code == Errc::fenced || code == Errc::not_found) return false;
  return std::unexpected(swapped.error());
}

bool lease_is_over(const Head& head) noexcept {
  return head.lease_until_ms != 0 && head.lease_until_ms < unix_now_ms();
}

std::uint64_t lease_end_ms(std::chrono::milliseconds term) noexcept {
  return unix_now_ms() + static_cast<std::uint64_t>(term.count());
}

Lease::Lease(std::shared_ptr<const Layout> layout, Head head, std::chrono::milliseconds term)
    : layout_(std::move(layout)),
      term_(term),
      head_(std::move(head)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Lease::~Lease() { release(); }

void Lease::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() && !lost_) {
    wake_.wait_for(lock, stop, term_ / 3, [] { return false; });
    if (stop.stop_requested()) return;
    (void)renew();
  }
}

std::unexpected<Error> Lease::note_loss(Error error) {
  if (error.code == Errc::changed || error.code == Errc::fenced || error.code == Errc::not_found) {
    error.code = Errc::fenced;
    lost_ = error;
  }
  return std::unexpected(std::move(error));
}

Result<void> Lease::renew() {
  Head next = head_;
  next.lease_until_ms = lease_end_ms(term_);
  auto swapped = swap_head(*layout_, head_, next);
  if (!swapped) return note_loss(std::move(swapped.error()));
  head_ = std::move(next);
  return {};
}

Result<void> Lease::check() const {
  const std::lock_guard guard(mutex_);
  if (lost_) return std::unexpected(*lost_);
  return {};
}

Result<void> Lease::confirm() {
  const std::lock_guard guard(mutex_);
  if (!lost_ && !settling_) (void)renew();
  if (lost_) return std::unexpected(*lost_);
  return {};
}

Result<void> Lease::settle(HeadState state, const format::Digest& manifest_digest) {
  release();
  const std::lock_guard guard(mutex_);
  if (lost_) return std::unexpected(*lost_);
  settling_ = true;
  Head next = head_;
  next.state = state;
  next.manifest_digest = manifest_digest;
  next.lease_until_ms = 0;
  auto swapped = swap_head(*layout_, head_, next);
  if (!swapped) return note_loss(std::move(swapped.error()));
  head_ = std::move(next);
  return {};
}

void Lease::release() noexcept {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sluice::storage
