#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice::storage {

/// One thing that was done to the files below a directory. Objects are numbered as they are made; 0
/// is that directory itself. A file keeps its number whatever its name.
struct DiskOp {
  enum class Kind : std::uint8_t {
    make_file,       ///< `object`, without a name.
    make_directory,  ///< `object`, without a name.
    write,           ///< `bytes` at `offset` of `object`.
    truncate,        ///< `object` to `offset` bytes.
    sync,            ///< Bytes or names in `object` are on the disk.
    enter,           ///< `object` has the name `name` in `directory`, whatever had it before.
    leave,           ///< `object` has that name no longer.
    rename,          ///< leave, then enter `to_directory` and `to_name`, in one.
    mark,            ///< Something that the test has to say: `name`.
  };

  Kind kind = Kind::mark;
  unsigned object = 0;
  unsigned directory = 0;
  std::string name = {};
  unsigned to_directory = 0;
  std::string to_name = {};
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes = {};
};

/// Records all that this process does below `root`, which exists and is empty, until stop. It is
/// taken at the calls of the C library, one at a time, so the order is one that the disk may have
/// seen; what io_uring does is not seen. Whatever a call was told that is recorded, it succeeded.
void start_recording(const std::filesystem::path& root);
[[nodiscard]] std::vector<DiskOp> stop_recording();
void record_mark(std::string text);
/// Takes what is there already for a part of it: of a directory that was made before.
void record_directory(const std::filesystem::path& directory);

/// Has calls that change something below the directory that start_recording() was given fail: the
/// `nth` of them from now on, 1 being the next, or also all after it, with `error`. 0: none.
void fail_call(int nth, int error, bool all_after = false);
/// How many there were since.
[[nodiscard]] int changing_calls();

/// What the clock of this process says is so much off.
void set_clock_offset(std::chrono::seconds offset);

/// While set, fsync() and fdatasync() do nothing: for checks whose disk will not fail.
void set_syncs_skipped(bool skipped);

}  // namespace sluice::storage
