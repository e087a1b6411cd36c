#include "service/rdb_download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "sluice/rdb_export.h"

namespace sluice::service {
namespace {

namespace asio = boost::asio;

constexpr std::size_t piece_bytes = 64 << 10;
constexpr int niceness = 5;

}  // namespace

std::shared_ptr<RdbDownload> RdbDownload::start(const RepositoryPlace& repository,
                                                const std::string& backup,
                                                const asio::any_io_executor& io) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return nullptr;
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  asio::posix::stream_descriptor reader(io, ends[0]);
  return std::shared_ptr<RdbDownload>(
      new RdbDownload(std::move(reader), ends[1], repository, backup));
}

RdbDownload::RdbDownload(asio::posix::stream_descriptor reader, int writer,
                         const RepositoryPlace& repository, const std::string& backup)
    : reader_(std::move(reader)),
      exporter_([this, writer, repository, backup](const std::stop_token& stop) {
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
        RdbExportOptions options;
        options.place.name = backup;
        options.place.repository = repository;
        options.output = fmt::format("/proc/self/fd/{}", writer);
        const auto exported = export_rdb(options, {.observer = nullptr, .stop = stop});
        whole_ = exported.has_value() && exported->loss_count == 0;
        ::close(writer);
      }) {}

RdbDownload::~RdbDownload() {
  exporter_.request_stop();
  boost::system::error_code ignored;
  reader_.close(ignored);  // who waits for room in the pipe is woken by that
}

asio::awaitable<BodySource::State> RdbDownload::next(std::string& piece) {
  piece.resize(piece_bytes);
  const auto [bad, size] =
      co_await reader_.async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
  piece.resize(size);
  if (!bad) co_return State::more;
  if (bad != asio::error::eof || !whole_) co_return State::broken;
  co_return State::end;
}

}  // namespace sluice::service
