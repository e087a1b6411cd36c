#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "service/http_message.h"
#include "sluice/repository.h"

namespace sluice::service {

/// The RDB of a backup as a body: a thread of its own exports into a pipe, which the network reads
/// as the client takes it. What goes wrong on the way cuts the connection.
class RdbDownload : public BodySource {
 public:
  /// Null when the system gives no pipe.
  [[nodiscard]] static std::shared_ptr<RdbDownload> start(const RepositoryPlace& repository,
                                                          const std::string& backup,
                                                          const boost::asio::any_io_executor& io);
  ~RdbDownload() override;

  boost::asio::awaitable<State> next(std::string& piece) override;

 private:
  RdbDownload(boost::asio::posix::stream_descriptor reader, int writer,
              const RepositoryPlace& repository, const std::string& backup);

  boost::asio::posix::stream_descriptor reader_;
  std::atomic<bool> whole_ = false;
  std::jthread exporter_;
};

}  // namespace sluice::service
