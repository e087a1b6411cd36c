#include "tests/storage/disk_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;
using Kind = DiskOp::Kind;

constexpr std::size_t block_bytes = 4096;

bool is_of_bytes(const DiskOp& op) { return op.kind == Kind::write || op.kind == Kind::truncate; }
bool is_of_names(const DiskOp& op) {
  return op.kind == Kind::enter || op.kind == Kind::leave || op.kind == Kind::rename;
}

/// What lies on the disk, as operations are applied to it.
class Disk {
 public:
  void apply(const DiskOp& op);
  void write_blocks(const DiskOp& op, const auto& keeps_block);
  void grow(const DiskOp& op);
  /// The second half of a rename whose first half is not there.
  void enter_target(const DiskOp& op) { names_[op.to_directory][op.to_name] = op.object; }
  [[nodiscard]] DiskImage image() const;

 private:
  std::map<unsigned, std::vector<std::byte>> files_;
  std::map<unsigned, std::map<std::string, unsigned>> names_{{0, {}}};
};

void Disk::apply(const DiskOp& op) {
  switch (op.kind) {
    case Kind::make_file: files_[op.object]; break;
    case Kind::make_directory: names_[op.object]; break;
    case Kind::write: write_blocks(op, [] { return true; }); break;
    case Kind::truncate: files_[op.object].resize(op.offset); break;
    case Kind::enter: names_[op.directory][op.name] = op.object; break;
    case Kind::leave: names_[op.directory].erase(op.name); break;
    case Kind::rename:
      names_[op.directory].erase(op.name);
      enter_target(op);
      break;
    case Kind::sync:
    case Kind::mark: break;
  }
}

void Disk::write_blocks(const DiskOp& op, const auto& keeps_block) {
  auto& file = files_[op.object];
  for (std::size_t at = 0; at < op.bytes.size();) {
    const std::size_t position = op.offset + at;
    const std::size_t size = std::min(op.bytes.size() - at, block_bytes - position % block_bytes);
    if (keeps_block()) {
      file.resize(std::max(file.size(), position + size));
      std::copy_n(op.bytes.begin() + static_cast<std::ptrdiff_t>(at), size,
                  file.begin() + static_cast<std::ptrdiff_t>(position));
    }
    at += size;
  }
}

void Disk::grow(const DiskOp& op) {
  auto& file = files_[op.object];
  file.resize(std::max(file.size(), op.offset + op.bytes.size()));
}

DiskImage Disk::image() const {
  DiskImage image;
  std::vector<std::pair<std::string, unsigned>> open{{"", 0}};
  while (!open.empty()) {
    const auto [path, directory] = open.back();
    open.pop_back();
    for (const auto& [name, object] : names_.at(directory)) {
      const std::string whole = path + name;
      if (const auto file = files_.find(object); file != files_.end()) {
        image[whole] = file->second;
      } else {
        image[whole] = std::nullopt;
        open.emplace_back(whole + '/', object);
      }
    }
  }
  return image;
}

/// What was done to a name is there up to some moment: after the first loss, nothing more is.
class Names {
 public:
  /// `target_synced`: what a rename has made of the name it goes to cannot be lost.
  bool keep(const DiskOp& op, bool wanted, bool target_synced) {
    const Name first{op.directory, op.name};
    const Name second{op.to_directory, op.to_name};
    const bool renames = op.kind == Kind::rename;
    const bool kept = wanted && !lost_.contains(first) && !(renames && lost_.contains(second));
    if (!kept) lost_.insert(first);
    if (!kept && renames && !target_synced) lost_.insert(second);
    return kept;
  }

 private:
  using Name = std::pair<unsigned, std::string>;
  std::set<Name> lost_;
};

}  // namespace

PowerCut::PowerCut(std::span<const DiskOp> ops, std::size_t count)
    : ops_(ops.first(count)), synced_(count), target_synced_(count) {
  std::map<unsigned, bool> later;  // objects that are synced after the operation looked at
  for (std::size_t at = count; at-- > 0;) {
    const DiskOp& op = ops_[at];
    if (op.kind == Kind::sync) later[op.object] = true;
    const auto is_synced = [&later](unsigned object) { return later.contains(object); };
    if (is_of_bytes(op)) synced_[at] = is_synced(op.object);
    if (is_of_names(op)) synced_[at] = is_synced(op.directory);
    if (op.kind == Kind::rename) target_synced_[at] = is_synced(op.to_directory);
  }
}

std::size_t PowerCut::unsynced() const {
  std::size_t count = 0;
  for (std::size_t at = 0; at < ops_.size(); ++at)
    count += !synced_[at] && (is_of_bytes(ops_[at]) || is_of_names(ops_[at]));
  return count;
}

DiskImage PowerCut::image(Keep names, Keep bytes, std::uint64_t seed) const {
  std::mt19937_64 random(seed);
  const auto coin = [&random] { return random() % 2 == 0; };
  const std::size_t end = names == Keep::beginning ? random() % (ops_.size() + 1) : ops_.size();
  Disk disk;
  Names kept;
  for (std::size_t at = 0; at < ops_.size(); ++at) {
    const DiskOp& op = ops_[at];
    if (is_of_names(op)) {
      const bool wanted = synced_[at] || names == Keep::all ||
                          (names == Keep::beginning && at < end) || (names == Keep::some && coin());
      if (kept.keep(op, wanted, target_synced_[at])) {
        disk.apply(op);
      } else if (op.kind == Kind::rename && target_synced_[at]) {
        disk.enter_target(op);
      }
    } else if (!is_of_bytes(op) || synced_[at] || bytes == Keep::all) {
      disk.apply(op);
    } else if (bytes == Keep::sizes) {
      disk.grow(op);
    } else if (bytes == Keep::some) {
      switch (random() % 4) {
        case 0: disk.apply(op); break;
        case 1: disk.write_blocks(op, coin); break;
        case 2: disk.grow(op); break;
        default: break;
      }
    }
  }
  return disk.image();
}

void write_image(const DiskImage& image, const fs::path& path) {
  fs::create_directories(path);
  for (const auto& [name, bytes] : image) {
    if (bytes) {
      write_file(path / name, *bytes);
    } else {
      fs::create_directory(path / name);
    }
  }
}

DiskImage read_image(const fs::path& path) {
  DiskImage image;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    const std::string name = fs::relative(entry.path(), path).string();
    image[name] = entry.is_directory() ? std::nullopt : std::optional(read_file(entry.path()));
  }
  return image;
}

}  // namespace sluice::storage
