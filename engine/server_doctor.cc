#include "engine/server_doctor.h"

#include "engine/errors.h"
#include "engine/io_thread.h"
#include "engine/server_exam.h"
#include "engine/server_link.h"

namespace sluice::engine {

Result<std::string> examine_server(const ServerAddress& address, Findings& findings,
                                   ProgressMeter& meter, const JobContext& job) {
  auto link = make_link(address);
  if (!link) return std::unexpected(link.error());
  meter.set_phase("asking " + link->display);
  meter.update(0, 0);
  std::string display = link->display;
  IoThread thread;
  const auto exam = thread.run(ask_exam(thread.executor(), std::move(*link)), job.stop);
  if (!exam) {
    Error error = from_net(exam.error(), Role::source, display);
    if (error.code == "cancelled") return std::unexpected(std::move(error));
    const std::string_view advice = advice_on(exam.error(), Role::source, display);
    if (!advice.empty()) error.message.resize(error.message.size() - advice.size() - 2);
    findings.fail("connection", error.message,
                  std::string(advice.empty() ? "see its log" : advice));
    return display;
  }
  findings.ok("connection", display + " answers");
  judge_server(*exam, findings);
  return display;
}

}  // namespace sluice::engine
