#include "net/command_batch.h"

#include <gtest/gtest.h>

#include "net/resp.h"

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text(std::span<const std::byte> data) {
  return std::string(reinterpret_cast<const char*>(data.data()), data.size());
}

TEST(CommandBatch, EncodesCommandsWithTagsAndKeys) {
  CommandBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.begin_command(3);
  batch.arg("SET");
  batch.arg("key");
  batch.arg("");
  batch.end_command(7, "key");
  batch.begin_command(1);
  batch.arg("PING");
  batch.end_command(8, "");
  EXPECT_EQ(text(batch.bytes()), encode_command({"SET", "key", ""}) + encode_command({"PING"}));
  ASSERT_EQ(batch.command_count(), 2u);
  EXPECT_EQ(batch.entries()[0].tag, 7u);
  EXPECT_EQ(text(batch.key(batch.entries()[0])), "key");
  EXPECT_EQ(text(batch.key(batch.entries()[1])), "");
}

TEST(CommandBatch, AnArgumentInPartsIsTheSameAsInOne) {
  const std::string_view value = "0123456789";
  for (std::size_t cut = 0; cut <= value.size(); ++cut) {
    CommandBatch batch;
    batch.begin_command(3);
    batch.arg("SET");
    batch.arg("k");
    batch.begin_arg(value.size());
    batch.arg_part(bytes(value.substr(0, cut)));
    batch.arg_part(bytes(value.substr(cut)));
    batch.end_command(1, "k");
    EXPECT_EQ(text(batch.bytes()), encode_command({"SET", "k", value}));
  }
}

TEST(CommandBatch, ACommandInPiecesBelongsToTheBatchInWhichItEnds) {
  CommandBatch batch;
  std::string wire;
  const auto give_away = [&] {
    const CommandBatch piece = batch.split();
    EXPECT_EQ(piece.command_count(), 0u);
    wire += text(piece.bytes());
    EXPECT_TRUE(batch.empty());
  };
  batch.begin_command(3);
  give_away();
  batch.arg("SET");
  batch.arg("k");
  give_away();
  batch.begin_arg(6);
  give_away();
  batch.arg_part(bytes("abc"));
  give_away();
  batch.arg_part(bytes("def"));
  give_away();
  batch.end_command(5, "k");
  const CommandBatch last = batch.split();
  EXPECT_EQ(last.size_bytes(), 0u);
  ASSERT_EQ(last.command_count(), 1u);
  EXPECT_EQ(last.entries()[0].tag, 5u);
  EXPECT_EQ(text(last.key(last.entries()[0])), "k");
  EXPECT_EQ(wire, encode_command({"SET", "k", "abcdef"}));
}

}  // namespace
}  // namespace sluice::net
