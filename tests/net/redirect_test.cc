#include "net/redirect.h"

#include <gtest/gtest.h>

namespace sluice::net {
namespace {

using Kind = Redirect::Kind;

TEST(Redirect, SaysWhere) {
  const Redirect moved = parse_redirect("MOVED 3999 127.0.0.1:6381", "seed");
  EXPECT_EQ(moved.kind, Kind::moved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.address, (HostPort{"127.0.0.1", 6381}));
  const Redirect ask = parse_redirect("ASK 1 fe80::1:7000", "seed");
  EXPECT_EQ(ask.kind, Kind::ask);
  EXPECT_EQ(ask.address, (HostPort{"fe80::1", 7000}));
}

TEST(Redirect, MeansTheHostThatWasAskedWhenItNamesNone) {
  EXPECT_EQ(parse_redirect("MOVED 1 :7000", "seed").address, (HostPort{"seed", 7000}));
  EXPECT_TRUE(parse_redirect("MOVED 1 ?:7000", "seed").address.host.empty());
}

TEST(Redirect, KnowsWhatPasses) {
  for (const char* text : {"CLUSTERDOWN The cluster is down", "TRYAGAIN Multiple keys", "LOADING x",
                           "READONLY You can't write against a read only replica.", "MOVED",
                           "MOVED 1", "MOVED 20000 h:1", "ASK 1 h:port"}) {
    EXPECT_EQ(parse_redirect(text, "seed").kind, Kind::wait) << text;
  }
}

TEST(Redirect, LeavesAnswersAlone) {
  for (const char* text :
       {"BUSYKEY Target key name already exists.", "OOM x", "", "MOVEDX 1 h:1"}) {
    EXPECT_EQ(parse_redirect(text, "seed").kind, Kind::none) << text;
  }
}

}  // namespace
}  // namespace sluice::net
