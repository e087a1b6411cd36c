#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

namespace sluice::engine {

/// The thread on which a job's connections live, and the way for the job's own thread to have a
/// coroutine run there.
///
/// Threads: start() and Pending::wait() from the job's thread. The destructor waits for what was
///          started, so whatever a coroutine refers to must be declared before the IoThread.
class IoThread {
 public:
  IoThread() : work_(boost::asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread() {
    work_.reset();
    thread_.join();
  }

  [[nodiscard]] boost::asio::any_io_executor executor() { return context_.get_executor(); }

  /// A coroutine under way; cancelled when the job is asked to stop.
  template <class T>
  class Pending {
   public:
    /// Blocks until it is over.
    [[nodiscard]] T wait() { return outcome_.get(); }
    /// Blocks for at most `limit`; whether it is over.
    [[nodiscard]] bool is_over_within(std::chrono::milliseconds limit) const {
      return outcome_.wait_for(limit) == std::future_status::ready;
    }

   private:
    friend class IoThread;
    struct Stop {
      std::shared_ptr<boost::asio::cancellation_signal> signal;
      boost::asio::any_io_executor executor;
      void operator()() const {
        boost::asio::post(executor, [signal = signal] {
          signal->emit(boost::asio::cancellation_type::terminal);
        });
      }
    };

    Pending(std::future<T> outcome, std::stop_token stop, Stop action)
        : outcome_(std::move(outcome)),
          on_stop_(std::make_unique<std::stop_callback<Stop>>(std::move(stop), std::move(action))) {
    }

    std::future<T> outcome_;
    std::unique_ptr<std::stop_callback<Stop>> on_stop_;
  };

  /// Starts `operation` on the thread. T is a Result of the net layer.
  template <class T>
  [[nodiscard]] Pending<T> start(boost::asio::awaitable<T> operation, std::stop_token stop) {
    auto signal = std::make_shared<boost::asio::cancellation_signal>();
    auto promise = std::make_shared<std::promise<T>>();
    auto outcome = promise->get_future();
    auto done = [promise, signal](const std::exception_ptr& thrown, T value) {
      if (thrown) {
        promise->set_exception(thrown);
      } else {
        promise->set_value(std::move(value));
      }
    };
    boost::asio::co_spawn(context_, std::move(operation),
                          boost::asio::bind_cancellation_slot(signal->slot(), std::move(done)));
    return Pending<T>(std::move(outcome), std::move(stop), {signal, executor()});
  }

  /// start() and wait() in one.
  template <class T>
  [[nodiscard]] T run(boost::asio::awaitable<T> operation, std::stop_token stop) {
    return start(std::move(operation), std::move(stop)).wait();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace sluice::engine
