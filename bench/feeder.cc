// Serves one RDB file out of memory as the primary of whoever asks, as fast as loopback takes it:
// no fork, no compression and no disk of a server stand between the tool that is timed and its
// bytes.
//
//   feeder FILE [--port N] [--diskless]
//
// Listens on 127.0.0.1 only, prints "port N" once it does, and serves until it is killed. It knows
// what `sluice backup` and `redis-cli --rdb` say: PING, AUTH, INFO, REPLCONF, PSYNC and SYNC.
// --diskless: the snapshot ends with a mark, as servers send it without a file, not with its
// length.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr std::string_view replid = "feedfeedfeedfeedfeedfeedfeedfeedfeedfeed";
constexpr std::string_view mark = "0123456789abcdefghijABCDEFGHIJ0123456789";
constexpr std::string_view info =
    "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\n"
    "run_id:feedfeedfeedfeedfeedfeedfeedfeedfeedfeed\r\n# Persistence\r\nloading:0\r\n"
    "# Replication\r\nrole:master\r\nmaster_replid:feedfeedfeedfeedfeedfeedfeedfeedfeedfeed\r\n"
    "master_repl_offset:1\r\n# Cluster\r\ncluster_enabled:0\r\n";

[[noreturn]] void fail(const std::string& what) {
  std::perror(("feeder: " + what).c_str());
  std::exit(EXIT_FAILURE);
}

/// The file in memory of our own, in large pages where there are any: what is sent then costs the
/// kernel one copy. It is never given back.
std::string_view load(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts{};
  if (file < 0 || ::fstat(file, &facts) != 0) fail(path);
  const auto size = static_cast<std::size_t>(facts.st_size);
  void* const memory = ::mmap(nullptr, std::max<std::size_t>(size, 1), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("memory");
  ::madvise(memory, size, MADV_HUGEPAGE);
  auto* const to = static_cast<char*>(memory);
  for (std::size_t at = 0; at < size;) {
    const ssize_t got = ::pread(file, to + at, size - at, static_cast<off_t>(at));
    if (got <= 0) fail(path);
    at += static_cast<std::size_t>(got);
  }
  ::close(file);
  return {to, size};
}

/// One connection.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(socket_); }

  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// As an array of bulk strings, or as words on one line. Nothing once the peer is gone.
  std::optional<std::vector<std::string>> command();

 private:
  static constexpr std::size_t bytes_max = 64 << 10;  // of a line or a string: a client that knows
                                                      // its manners says nothing longer

  bool receive();
  std::optional<std::string> line();
  std::optional<std::string> take(std::size_t size);

  int socket_;
  std::string inbox_;
};

bool Peer::receive() {
  std::array<char, 4096> part;
  const ssize_t got = ::recv(socket_, part.data(), part.size(), 0);
  if (got <= 0 || inbox_.size() > bytes_max) return false;
  inbox_.append(part.data(), static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> Peer::line() {
  std::size_t end = 0;
  while ((end = inbox_.find('\n')) == std::string::npos) {
    if (!receive()) return std::nullopt;
  }
  auto text = take(end + 1);
  while (text && (text->ends_with('\n') || text->ends_with('\r'))) text->pop_back();
  return text;
}

std::optional<std::string> Peer::take(std::size_t size) {
  while (inbox_.size() < size) {
    if (!receive()) return std::nullopt;
  }
  std::string text = inbox_.substr(0, size);
  inbox_.erase(0, size);
  return text;
}

std::optional<std::size_t> number_behind(std::string_view line, char sign) {
  std::size_t number = 0;
  if (!line.starts_with(sign)) return std::nullopt;
  const auto parsed = std::from_chars(line.data() + 1, line.data() + line.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<std::vector<std::string>> Peer::command() {
  const auto head = line();
  if (!head) return std::nullopt;
  std::vector<std::string> words;
  if (!head->starts_with('*')) {
    std::istringstream rest(*head);
    for (std::string word; rest >> word;) words.push_back(word);
    return words;
  }
  for (std::size_t left = number_behind(*head, '*').value_or(0); left > 0; --left) {
    const auto size = number_behind(line().value_or(""), '$');
    if (!size || *size > bytes_max) return std::nullopt;
    auto text = take(*size + 2);
    if (!text) return std::nullopt;
    text->resize(*size);
    words.push_back(std::move(*text));
  }
  return words;
}

struct Snapshot {
  std::string_view bytes;
  bool diskless = false;
};

bool send_snapshot(const Peer& peer, const Snapshot& snapshot) {
  const std::string length = std::to_string(snapshot.bytes.size());
  const std::string head = snapshot.diskless ? "$EOF:" + std::string(mark) : "$" + length;
  return peer.send(head + "\r\n") && peer.send(snapshot.bytes) &&
         (!snapshot.diskless || peer.send(mark));
}

bool answer(const Peer& peer, const std::vector<std::string>& command, const Snapshot& snapshot) {
  std::string name = command[0];
  for (char& letter : name) letter = static_cast<char>(std::toupper(letter));
  if (name == "PING") return peer.send("+PONG\r\n");
  if (name == "AUTH") return peer.send("+OK\r\n");
  if (name == "INFO") {
    return peer.send("$" + std::to_string(info.size()) + "\r\n" + std::string(info) + "\r\n");
  }
  if (name == "REPLCONF") {
    const bool ack = command.size() > 1 && (command[1] == "ACK" || command[1] == "ack");
    return ack || peer.send("+OK\r\n");
  }
  if (name == "PSYNC") {
    return peer.send("+FULLRESYNC " + std::string(replid) + " 1\r\n") &&
           send_snapshot(peer, snapshot);
  }
  if (name == "SYNC") return send_snapshot(peer, snapshot);
  return peer.send("-ERR unknown command '" + command[0] + "'\r\n");
}

void serve(int socket, const Snapshot& snapshot) {
  Peer peer(socket);
  while (const auto command = peer.command()) {
    if (!command->empty() && !answer(peer, *command, snapshot)) return;
  }
}

int listen_on(std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener, generic, size) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, generic, &size) != 0) {
    fail("cannot listen");
  }
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves an RDB file as the primary of whoever asks");
  std::string path;
  std::uint16_t port = 0;
  Snapshot snapshot;
  app.add_option("FILE", path, "RDB file")->required();
  app.add_option("--port", port, "0: one that is free");
  app.add_flag("--diskless", snapshot.diskless, "End the snapshot with a mark");
  CLI11_PARSE(app, argc, argv);

  snapshot.bytes = load(path);
  const int listener = listen_on(port);
  while (true) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) fail("accept");
    std::thread(serve, socket, snapshot).detach();
  }
}
