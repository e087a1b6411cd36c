#include "sluice/provision.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <utility>

#include "engine/child_process.h"
#include "engine/errors.h"
#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "engine/target_console.h"
#include "storage/backup_id.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view local = "local";
constexpr std::string_view exec = "exec:";
constexpr std::chrono::milliseconds poll_interval(50);
constexpr std::chrono::seconds start_time_max(30);

Error failed(std::string message) {
  return {.stage = Stage::engine, .code = "provision_failed", .message = std::move(message)};
}

/// The last line that is not empty.
std::string last_line(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const std::size_t at = text.rfind('\n');
  return std::string(at == std::string_view::npos ? text : text.substr(at + 1));
}

/// A program by the directories in PATH.
std::optional<std::string> in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path found = fs::path(directory.empty() ? "." : directory) / program;
    if (::access(found.c_str(), X_OK) == 0) return found.string();
  }
  return std::nullopt;
}

/// A value of a server's configuration file.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

Result<std::string> random_password() {
  std::array<std::byte, 24> random{};
  if (auto filled = storage::fill_random(random); !filled)
    return std::unexpected(engine::from_storage(filled.error()));
  std::string password;
  for (const std::byte byte : random) password += fmt::format("{:02x}", byte);
  return password;
}

/// A port of 127.0.0.1 that nobody listens at now.
Result<std::uint16_t> free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = socket >= 0 && ::bind(socket, generic, size) == 0 &&
                     ::getsockname(socket, generic, &size) == 0;
  if (socket >= 0) ::close(socket);
  if (!bound) return std::unexpected(failed("no port is free on 127.0.0.1"));
  return ntohs(address.sin_port);
}

std::optional<std::int64_t> read_pid(const fs::path& directory) {
  std::ifstream file(directory / "server.pid");
  std::int64_t pid = 0;
  if (file >> pid) return pid;
  return std::nullopt;
}

/// A server of this machine.
class LocalServer {
 public:
  LocalServer(const ProvisionOptions& options, std::string_view directory, const JobContext& job)
      : options_(options), wanted_(directory), job_(job) {}

  Result<ProvisionedServer> run() {
    const auto program = find_program();
    if (!program) return std::unexpected(program.error());
    if (auto made = make_directory(); !made) return std::unexpected(made.error());
    server_.directory = directory_.string();
    auto started = start(*program);
    if (started) return std::move(server_);
    Error error = started.error();
    const std::string left = take_back(server_);
    if (!left.empty()) error.message += "; " + left;
    return std::unexpected(std::move(error));
  }

 private:
  [[nodiscard]] Result<std::string> find_program() const {
    if (!options_.program.empty()) return options_.program;
    const std::string name = options_.flavor + "-server";
    if (const auto found = in_path(name)) return *found;
    return std::unexpected(failed(fmt::format(
        "{} is not in PATH: install it, or say with --server-program what to start", name)));
  }

  Result<void> make_directory() {
    std::error_code bad;
    const std::string name(wanted_);
    if (name.empty()) {
      std::string pattern = (fs::current_path() / "sluice-clone-XXXXXX").string();
      if (::mkdtemp(pattern.data()) == nullptr) {
        return std::unexpected(failed("cannot make a directory here: " + last_error()));
      }
      directory_ = pattern;
      return {};
    }
    directory_ = fs::absolute(name, bad);
    fs::create_directories(directory_, bad);
    if (!bad && !fs::is_empty(directory_, bad)) {
      return std::unexpected(failed(directory_.string() + " is not empty: name a new directory"));
    }
    if (!bad) fs::permissions(directory_, fs::perms::owner_all, bad);
    if (!bad) return {};
    return std::unexpected(failed("cannot use " + directory_.string() + ": " + bad.message()));
  }

  [[nodiscard]] static std::string last_error() {
    return std::error_code(errno, std::generic_category()).message();
  }

  Result<void> start(const std::string& program) {
    const auto port = free_port();
    if (!port) return std::unexpected(port.error());
    const auto password = random_password();
    if (!password) return std::unexpected(password.error());
    const fs::path file = directory_ / "server.conf";
    if (auto written = write_settings(file, *port, *password); !written) return written;
    server_.uri = fmt::format("redis://127.0.0.1:{}", *port);
    server_.address.uri = server_.uri;
    server_.address.password = *password;
    const auto run = engine::run_child({program, file.string()}, {}, job_.stop);
    if (!run) return std::unexpected(run.error());
    if (run->exit_code != 0) {
      return std::unexpected(failed(fmt::format("{} ended with exit code {}: {}", program,
                                                run->exit_code, what_it_said(run->out))));
    }
    return wait_until_ready(program);
  }

  [[nodiscard]] Result<void> write_settings(const fs::path& file, std::uint16_t port,
                                            const std::string& password) const {
    const auto here = [this](std::string_view name) {
      return in_quotes((directory_ / name).string());
    };
    {
      std::ofstream out(file);
      fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
      out << "# A copy of " << options_.name << ", made by sluice clone.\n"
          << "bind 127.0.0.1\nport " << port << "\nrequirepass " << in_quotes(password) << "\ndir "
          << in_quotes(directory_.string()) << "\nlogfile " << here("server.log") << "\npidfile "
          << here("server.pid") << "\ndaemonize yes\ndatabases " << options_.databases << "\n";
      if (out.flush()) return {};
    }
    return std::unexpected(failed("cannot write " + file.string()));
  }

  [[nodiscard]] std::string what_it_said(const std::string& out) const {
    std::ifstream log(directory_ / "server.log");
    const std::string logged((std::istreambuf_iterator<char>(log)), {});
    const std::string line = last_line(logged.empty() ? out : logged);
    return line.empty() ? "it said nothing" : line;
  }

  Result<void> wait_until_ready(const std::string& program) {
    const auto link = engine::make_link(server_.address);
    if (!link) return std::unexpected(link.error());
    engine::IoThread io;
    const auto deadline = std::chrono::steady_clock::now() + start_time_max;
    while (std::chrono::steady_clock::now() < deadline) {
      if (job_.stop.stop_requested()) return std::unexpected(engine::cancelled());
      if (io.run(engine::ask_server_info(io.executor(), *link), job_.stop)) {
        server_.pid = read_pid(directory_);
        return {};
      }
      std::this_thread::sleep_for(poll_interval);
    }
    return std::unexpected(failed(fmt::format("{} did not answer within {} s: {}", program,
                                              start_time_max.count(), what_it_said({}))));
  }

  const ProvisionOptions& options_;
  const std::string_view wanted_;
  const JobContext& job_;
  fs::path directory_;
  ProvisionedServer server_;
};

Result<ProvisionedServer> ask_command(const ProvisionOptions& options, std::string_view command,
                                      const JobContext& job) {
  const auto run = engine::run_child({"/bin/sh", "-c", std::string(command)},
                                     {{"SLUICE_SERVER", options.flavor},
                                      {"SLUICE_VERSION", options.version},
                                      {"SLUICE_SOURCE", options.name},
                                      {"SLUICE_KEYS", std::to_string(options.keys)},
                                      {"SLUICE_BYTES", std::to_string(options.bytes)},
                                      {"SLUICE_DATABASES", std::to_string(options.databases)}},
                                     job.stop);
  if (!run) return std::unexpected(run.error());
  if (run->exit_code != 0) {
    return std::unexpected(failed(fmt::format(
        "the command that was to provide a server ended with exit code {}", run->exit_code)));
  }
  std::string uri = run->out.substr(0, run->out.find_first_of("\r\n"));
  if (!is_server_uri(uri)) {
    return std::unexpected(
        failed("the command that was to provide a server printed no URI of one as its first line "
               "(redis://[user:password@]host[:port])"));
  }
  ProvisionedServer server;
  server.address.uri = std::move(uri);
  const auto link = engine::make_link(server.address);
  if (!link) return std::unexpected(link.error());
  server.uri = link->display;
  return server;
}

}  // namespace

Result<ServerDescription> describe_server(const ServerAddress& address, const JobContext& job) {
  const auto link = engine::make_link(address);
  if (!link) return std::unexpected(link.error());
  engine::IoThread io;
  const auto info = io.run(engine::ask_server_info(io.executor(), *link), job.stop);
  if (!info)
    return std::unexpected(engine::from_net(info.error(), engine::Role::source, link->display));
  ServerDescription found{.uri = link->display,
                          .flavor = std::string(net::to_text(info->flavor)),
                          .version = info->version};
  engine::TargetConsole console(io, *link);
  console.set_stop(job.stop);
  const auto config = console.call({"CONFIG", "GET", "databases"});
  if (config && config->elements.size() == 2) {
    const std::string& text = config->elements[1].text;
    std::from_chars(text.data(), text.data() + text.size(), found.databases);
  }
  return found;
}

Result<ProvisionedServer> provision(const ProvisionOptions& options, const JobContext& job) {
  const std::string_view how = options.how;
  if (how == local) return LocalServer(options, {}, job).run();
  if (how.starts_with("local:"))
    return LocalServer(options, how.substr(local.size() + 1), job).run();
  if (how.starts_with(exec)) return ask_command(options, how.substr(exec.size()), job);
  return std::unexpected(Error{.stage = Stage::usage,
                               .code = "bad_option",
                               .message = "--provision is local, local:DIR or exec:COMMAND"});
}

std::optional<ProvisionedServer> find_provisioned(const std::string& directory) {
  std::ifstream settings(fs::path(directory) / "server.conf");
  if (!settings) return std::nullopt;
  ProvisionedServer server{.address = {}, .uri = {}, .directory = directory, .pid = {}};
  for (std::string line; std::getline(settings, line);) {
    constexpr std::string_view port = "port ";
    constexpr std::string_view password = "requirepass \"";  // hex digits: nothing is escaped
    if (line.starts_with(port)) server.uri = "redis://127.0.0.1:" + line.substr(port.size());
    if (line.starts_with(password) && line.ends_with('"'))
      server.address.password = line.substr(password.size(), line.size() - password.size() - 1);
  }
  if (server.uri.empty()) return std::nullopt;
  server.address.uri = server.uri;
  server.pid = read_pid(server.directory);
  return server;
}

std::string take_back(const ProvisionedServer& server) {
  if (server.directory.empty()) return "the server that was provided is still there: " + server.uri;
  if (server.pid) {
    const auto link = engine::make_link(server.address);
    engine::IoThread io;
    engine::TargetConsole console(io, *link);
    // It closes the connection in the place of an answer.
    static_cast<void>(console.call({"SHUTDOWN", "NOSAVE"}));
    for (int i = 0; i < 100 && fs::exists(fs::path(server.directory) / "server.pid"); ++i)
      std::this_thread::sleep_for(poll_interval);
  }
  std::error_code bad;
  fs::remove_all(server.directory, bad);
  return bad ? "what is left of its server is in " + server.directory : std::string();
}

}  // namespace sluice
