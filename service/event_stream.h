#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <string>

#include "service/core.h"
#include "service/http_message.h"

namespace sluice::service {

/// The changes of jobs and instances as server-sent events, for one browser.
class EventStream : public BodySource {
 public:
  EventStream(Core& core, const boost::asio::any_io_executor& io);

  boost::asio::awaitable<State> next(std::string& piece) override;

 private:
  void take_changes(std::string& piece);
  void take_progress(std::string& piece);

  Core& core_;
  boost::asio::steady_timer timer_;
  bool greeted_ = false;
  std::uint64_t seq_ = 0;
  unsigned quiet_ = 0;                              ///< Looks in a row that found nothing.
  std::map<std::int64_t, std::uint64_t> versions_;  ///< Of the progress of running jobs, as sent.
};

}  // namespace sluice::service
