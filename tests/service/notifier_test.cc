#include "service/notifier.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../net/test_certificates.h"
#include "web_server.h"

namespace sluice::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds patience{20'000};

Event failure(const std::string& instance = "orders") {
  return {.name = "backup_failed",
          .instance = instance,
          .backup = {},
          .job = 41,
          .message = "source redis://db: no \"answer\"",
          .at_ms = 1'795'338'000'000,
          .details = {{"attempt", 3}}};
}

NotifyEntry webhook(const std::string& url) {
  return {.name = "web", .url = url, .command = {}, .headers = {}, .events = {}};
}

NotifyEntry command(const std::string& text) {
  return {.name = "cmd", .url = {}, .command = text, .headers = {}, .events = {}};
}

Notifier::Options quick() {
  Notifier::Options options;
  options.retry_delay = milliseconds(1);
  return options;
}

class NotifierTest : public testing::Test {
 protected:
  NotifierTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "sluice-notify-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~NotifierTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  Notifier::Log log() {
    return [this](const std::string& line) {
      const std::lock_guard guard(mutex_);
      lines_.push_back(line);
    };
  }
  std::vector<std::string> lines() {
    const std::lock_guard guard(mutex_);
    return lines_;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_ / name).string();
  }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ifstream file(path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path directory_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST_F(NotifierTest, EventIsAsDocumented) {
  EXPECT_EQ(to_json(failure()),
            R"({"event":"backup_failed","instance":"orders","backup":null,"job":41,)"
            R"("message":"source redis://db: no \"answer\"","at":"2026-11-22T09:00:00.000Z",)"
            R"("details":{"attempt":3},)"
            R"("text":"sluice: orders: backup_failed: source redis://db: no \"answer\""})");
  const Event bare{.name = "drill_overdue", .message = "late"};
  EXPECT_EQ(to_json(bare), R"({"event":"drill_overdue","instance":null,"backup":null,"job":null,)"
                           R"("message":"late","at":"1970-01-01T00:00:00.000Z","details":{},)"
                           R"("text":"sluice: drill_overdue: late"})");
}

TEST_F(NotifierTest, WebhookIsPostedTheEventWithItsHeaders) {
  const WebServer server({200});
  NotifyEntry entry = webhook(server.url("/T0/B1?x=1"));
  entry.headers = {{"Authorization", "Bearer hunter2"}, {"X-Empty", ""}};
  Notifier notifier({entry}, log(), quick());
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/T0/B1?x=1");
  EXPECT_EQ(requests[0].body, to_json(failure()));
  for (const char* header : {"Content-Type: application/json\n", "Authorization: Bearer hunter2\n",
                             "X-Empty: \n", "User-Agent: sluice\n"})
    EXPECT_TRUE(requests[0].headers.contains(header)) << header << requests[0].headers;
  EXPECT_EQ(notifier.counts().delivered, 1U);
  EXPECT_TRUE(lines().empty());
}

TEST_F(NotifierTest, WebhookIsTriedAgainWhereThatMayHelp) {
  for (const unsigned status : {429U, 500U, 503U}) {
    const WebServer server({status, status, 204});
    Notifier notifier({webhook(server.url())}, log(), quick());
    notifier.tell(failure());
    ASSERT_TRUE(notifier.drain(patience));
    EXPECT_EQ(server.requests().size(), 3U) << status;
    EXPECT_EQ(notifier.counts().delivered, 1U) << status;
  }
  EXPECT_TRUE(lines().empty());
}

TEST_F(NotifierTest, WebhookIsGivenUpAfterThreeTries) {
  const WebServer server({500});
  Notifier notifier({webhook(server.url())}, log(), quick());
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(server.requests().size(), 3U);
  EXPECT_EQ(notifier.counts().failed, 1U);
  EXPECT_EQ(
      lines(),
      (std::vector<std::string>{"notify web: backup_failed was not delivered: it answered 500"}));
}

TEST_F(NotifierTest, WebhookIsNotTriedAgainWhereItWasRefused) {
  const WebServer server({404});
  Notifier notifier({webhook(server.url())}, log(), quick());
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(notifier.counts().failed, 1U);
}

TEST_F(NotifierTest, RedirectIsNotFollowed) {
  const WebServer other({200});
  for (const unsigned status : {301U, 302U, 307U, 308U}) {
    WebServer server({status});
    server.redirect_to(other.url());
    NotifyEntry entry = webhook(server.url());
    entry.headers = {{"Authorization", "Bearer hunter2"}};
    Notifier notifier({entry}, log(), quick());
    notifier.tell(failure());
    ASSERT_TRUE(notifier.drain(patience));
    EXPECT_EQ(server.requests().size(), 1U);
    EXPECT_EQ(notifier.counts().failed, 1U);
  }
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(NotifierTest, SilentWebhookIsGivenUpInTime) {
  const WebServer server({WebServer::silence});
  Notifier::Options options = quick();
  options.webhook_timeout = milliseconds(100);
  Notifier notifier({webhook(server.url())}, log(), options);
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(server.requests().size(), 3U);
  EXPECT_EQ(notifier.counts().failed, 1U);
}

TEST_F(NotifierTest, CertificateHasToBeTrusted) {
  const net::TestCertificates certificates;
  const WebServer server({200}, certificates.path("server.pem"), certificates.path("server.key"));
  Notifier notifier({webhook(server.url())}, log(), quick());
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(notifier.counts().failed, 1U);
}

TEST_F(NotifierTest, WhatIsLoggedHoldsNoSecret) {
  std::uint16_t closed_port = 0;
  {
    const WebServer gone({200});
    closed_port = gone.port();
  }
  const WebServer refusing({403});
  const std::string closed = "http://127.0.0.1:" + std::to_string(closed_port) + "/hunter2";
  for (const std::string& url :
       {refusing.url("/hunter2"), closed, std::string("http://[hunter2"),
        std::string("http://user:hunter2@127.0.0.1:1/"), std::string("gopher://hunter2/"),
        std::string("http://hunter2 x/")}) {
    NotifyEntry entry = webhook(url);
    entry.headers = {{"Authorization", "Bearer hunter2"}};
    Notifier notifier({entry}, log(), quick());
    notifier.tell(failure());
    ASSERT_TRUE(notifier.drain(patience)) << url;
    EXPECT_EQ(notifier.counts().failed, 1U) << url;
  }
  EXPECT_EQ(lines().size(), 6U);
  for (const std::string& line : lines()) EXPECT_FALSE(line.contains("hunter2")) << line;
}

TEST_F(NotifierTest, OnlyEventsThatAreWantedAreTold) {
  NotifyEntry entry = command("cat >> " + path("told"));
  entry.events = {"drill_failed"};
  Notifier notifier({entry}, log(), quick());
  notifier.tell(failure());
  Event drill = failure();
  drill.name = "drill_failed";
  notifier.tell(drill);
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(text_of("told"), to_json(drill));
}

TEST_F(NotifierTest, CommandHasTheEventOnItsInput) {
  Event big = failure();
  big.details = {{"text", std::string(200'000, 'x')}};  // more than a pipe holds
  Notifier notifier({command("cat > " + path("told"))}, log(), quick());
  notifier.tell(big);
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(text_of("told"), to_json(big));
  // One that does not read it is no trouble.
  notifier.replace({command("true")});
  notifier.tell(big);
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(notifier.counts().delivered, 2U);
}

TEST_F(NotifierTest, CommandThatFailsIsSaid) {
  Notifier notifier({command("exit 3"), command("kill -9 $$")}, log(), quick());
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  auto said = lines();
  std::ranges::sort(said);
  EXPECT_EQ(said,
            (std::vector<std::string>{
                "notify cmd: backup_failed was not delivered: the command ended with exit code 3",
                "notify cmd: backup_failed was not delivered: the command was ended by signal 9"}));
}

/// Not even waiting to be reaped, which is somebody else's task.
bool is_alive(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:")) return !line.contains('Z');
  }
  return false;
}

TEST_F(NotifierTest, CommandPastItsLimitIsKilledWithItsGroup) {
  Notifier::Options options = quick();
  options.command_limit = milliseconds(500);
  // Its child has to go as well; the file has the child's number.
  Notifier notifier({command("sleep 600 & echo $! > " + path("child") + "; wait")}, log(), options);
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(lines(),
            (std::vector<std::string>{
                "notify cmd: backup_failed was not delivered: the command took longer than "
                "0.5 s and was killed"}));
  const std::string child = text_of("child");
  ASSERT_FALSE(child.empty());
  const int pid = std::stoi(child);
  const auto until = steady_clock::now() + patience;
  while (is_alive(pid) && steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(NotifierTest, CommandHasNoneOfOurDescriptorsAndNoSignalBlocked) {
  constexpr int inherited = 50;
  ASSERT_EQ(::dup2(STDERR_FILENO, inherited), inherited);  // not close-on-exec
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  // What the shell itself was given, not what it gives to its children.
  const auto exec = [&](const std::string& what, const std::string& file) {
    return command("exec " + what + " > " + path(file));
  };
  Notifier notifier(
      {exec("ls /proc/self/fd", "descriptors"), exec("grep SigBlk /proc/self/status", "mask")},
      log(), quick());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  notifier.tell(failure());
  ASSERT_TRUE(notifier.drain(patience));
  ::close(inherited);
  EXPECT_TRUE(text_of("descriptors").starts_with("0\n1\n")) << text_of("descriptors");
  EXPECT_FALSE(text_of("descriptors").contains("50")) << text_of("descriptors");
  EXPECT_EQ(text_of("mask"), "SigBlk:\t0000000000000000\n");
}

TEST_F(NotifierTest, OneThatHangsKeepsNobodyWaiting) {
  const WebServer silent({WebServer::silence});
  Notifier::Options options = quick();
  options.webhook_timeout = std::chrono::minutes(10);
  options.queue_max = 3;
  const auto begin = steady_clock::now();
  {
    Notifier notifier({webhook(silent.url()), command("cat >> " + path("told"))}, log(), options);
    for (int i = 0; i < 20; ++i) {
      notifier.tell(failure());
      const auto until = steady_clock::now() + patience;
      while (text_of("told").size() < to_json(failure()).size() * static_cast<std::size_t>(i + 1) &&
             steady_clock::now() < until)
        std::this_thread::yield();
    }
    EXPECT_EQ(text_of("told").size(), to_json(failure()).size() * 20);
    // One is on its way and three wait, or four wait as it has not begun.
    const auto dropped = notifier.counts().dropped;
    EXPECT_TRUE(dropped == 16 || dropped == 17) << dropped;
  }
  EXPECT_LT(steady_clock::now() - begin, patience) << "the end waited for the webhook";
}

TEST_F(NotifierTest, EndKillsACommandThatRuns) {
  const auto begin = steady_clock::now();
  {
    Notifier notifier({command("echo > " + path("began") + "; sleep 600")}, log(), quick());
    notifier.tell(failure());
    while (!std::filesystem::exists(path("began")) && steady_clock::now() - begin < patience)
      std::this_thread::yield();
  }
  EXPECT_LT(steady_clock::now() - begin, patience);
}

TEST_F(NotifierTest, OtherEntriesTakeOver) {
  const WebServer first({200});
  const WebServer second({200});
  Notifier notifier({webhook(first.url())}, log(), quick());
  notifier.tell(failure("a"));
  ASSERT_TRUE(notifier.drain(patience));
  notifier.replace({webhook(second.url())});
  notifier.tell(failure("b"));
  ASSERT_TRUE(notifier.drain(patience));
  EXPECT_EQ(first.requests().size(), 1U);
  ASSERT_EQ(second.requests().size(), 1U);
  EXPECT_EQ(second.requests()[0].body, to_json(failure("b")));
  EXPECT_EQ(notifier.counts().delivered, 2U);
}

}  // namespace
}  // namespace sluice::service
