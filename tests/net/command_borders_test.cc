#include "net/command_borders.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/resp.h"

namespace sluice::net {
namespace {

TEST(CommandBorders, AreFoundWhereverTheInputIsCut) {
  const std::vector<std::string> commands{encode_command({"PING"}),
                                          encode_command({"SET", "k", std::string(120, '*')}),
                                          encode_command({"SET", "", "$5\r\n*2\r\n"})};
  std::string all;
  std::vector<std::size_t> ends;
  for (const std::string& command : commands) ends.push_back((all += command).size());
  for (std::size_t cut = 1; cut <= all.size(); ++cut) {
    SCOPED_TRACE("pieces of " + std::to_string(cut));
    CommandBorders borders;
    std::vector<std::size_t> found;
    for (std::size_t at = 0; at < all.size();) {
      at += borders.feed(std::string_view(all).substr(at, cut));
      if (borders.at_border()) found.push_back(at);
    }
    EXPECT_EQ(found, ends);
  }
}

}  // namespace
}  // namespace sluice::net
