// Golden bytes: what a released program wrote must be what a later one expects.

#include "storage/format.h"

#include <gtest/gtest.h>

#include "storage/backup_id.h"
#include "storage/checksum.h"
#include "storage/head.h"
#include "storage/pack_writer.h"
#include "storage/repository_mark.h"
#include "storage/sealed_text.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

template <class T>
std::string hex_of(const T& value) {
  return to_hex(std::as_bytes(std::span(&value, 1)));
}

constexpr BackupId sample_id{.time_ms = 1'700'000'000'123, .random = 0xdeadbeef};
constexpr std::string_view sample_text = "20231114T221320123Z-deadbeef";

TEST(Format, APackHeaderHasTheseBytes) {
  std::array<std::byte, 8> repository{};
  for (std::size_t i = 0; i < 8; ++i) repository[i] = static_cast<std::byte>(0xa0 + i);
  const auto header =
      make_pack_header({.backup = sample_id, .sequence = 2}, {.id = repository, .minor = 2});
  EXPECT_EQ(hex_of(header),
            "534c55494345504b"  // SLUICEPK
            "0000"
            "0200"
            "00000000"          // 0.2, no flags
            "a0a1a2a3a4a5a6a7"  // repository
            "7b68e5cf8b010000"
            "efbeadde"
            "02000000"                          // pack id
            "00000000000000000000000000000000"  // salt
            "0accd2885c87343f");
}

TEST(Format, TheSmallerMagicsAndTheLimitsAreThese) {
  EXPECT_EQ(hex_of(format::manifest_magic), "534c554943454d46");
  EXPECT_EQ(hex_of(format::footer_magic), "534c4654");
  EXPECT_EQ(hex_of(format::trailer_magic), "534c5045");
  EXPECT_EQ(format::pack_target_bytes, 67'108'864u);
  EXPECT_EQ(format::chunk_raw_bytes_max, 4'194'304u);
  EXPECT_EQ(format::version_major, 0);
  EXPECT_EQ(format::version_minor, 3);
  EXPECT_EQ(format::version_minor_oldest, 2);
}

TEST(Format, DigestsReadAsXxhsumPrintsThem) {
  EXPECT_EQ(to_hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(xxh3_64({}), 0x2d06800538d394c2u);
}

TEST(Format, HexIsReadStrictly) {
  std::array<std::byte, 2> bytes{};
  EXPECT_TRUE(from_hex("0aff", bytes));
  for (const char* bad : {"0AFF", "0aff0", "0af", "0ag0", ""}) EXPECT_FALSE(from_hex(bad, bytes));
}

TEST(BackupId, HasATextThatSortsAndReadsBack) {
  EXPECT_EQ(to_string(sample_id), sample_text);
  EXPECT_EQ(parse_backup_id(sample_text), sample_id);
  const PackId pack{.backup = sample_id, .sequence = 0x1f};
  EXPECT_EQ(to_string(pack), std::string(sample_text) + "-0000001f");
  EXPECT_EQ(parse_pack_id(to_string(pack)), pack);
  EXPECT_EQ(shard_of(pack), (0xefU + 0x1fU) % 256);
}

TEST(BackupId, RefusesWhatIsNotExactlyAnId) {
  for (const char* bad :
       {"", "20231114T221320123Z", "20231114T221320123Z-DEADBEEF", "20231314T221320123Z-deadbeef",
        "20230230T221320123Z-deadbeef", "20231114T251320123Z-deadbeef",
        "20231114T221360123Z-deadbeef", "2023111-T221320123Z-deadbeef",
        "20231114T221320123Z-deadbeef0", "19231114T221320123Z-deadbeef"})
    EXPECT_FALSE(parse_backup_id(bad)) << bad;
  EXPECT_FALSE(parse_pack_id(std::string(sample_text) + "-1"));
}

TEST(BackupId, B9_IsAboveTheNewestEvenWhenTheClockIsBehind) {
  const BackupId future{.time_ms = 32'000'000'000'000, .random = 9};
  EXPECT_EQ(make_backup_id(future)->time_ms, future.time_ms + 1);
  const BackupId last{.time_ms = 253'402'300'799'999};
  EXPECT_EQ(make_backup_id(last).error().code, Errc::limit_exceeded);
}

RepositoryMark sample_mark() {
  RepositoryMark mark;
  mark.repository_id = "000102030405060708090a0b0c0d0e0f";
  mark.minor = 2;
  for (std::size_t i = 0; i < mark.secret.size(); ++i)
    mark.secret[i] = static_cast<std::byte>(0xe0 + i);
  return mark;
}

constexpr std::string_view sample_mark_text =
    R"({"magic":"sluice-repository","repository_id":"000102030405060708090a0b0c0d0e0f",)"
    R"("format_major":0,"format_minor":2,)"
    R"("secret":"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",)"
    R"("cipher":"none","required_features":{"read":[],"write":[],"gc":[],"check":[]}})";

/// The sample with the first occurrence of `what` replaced.
Result<RepositoryMark> parse_changed(std::string_view what, std::string_view by) {
  std::string text(sample_mark_text);
  text.replace(text.find(what), what.size(), by);
  return parse_mark(seal(text), "FORMAT");
}

TEST(RepositoryMark, HasThisText) {
  const std::string text = serialize(sample_mark());
  EXPECT_EQ(text.substr(0, text.find('\n')), sample_mark_text);
  const auto parsed = parse_mark(text, "FORMAT");
  ASSERT_OK(parsed);
  EXPECT_EQ(serialize(*parsed), text);
}

TEST(RepositoryMark, H2_RefusesAnOlderMinorAndSaysWhatToDo) {
  const auto parsed = parse_changed(R"("format_minor":2)", R"("format_minor":1)");
  EXPECT_EQ(parsed.error().code, Errc::unsupported_format);
  EXPECT_NE(parsed.error().detail.find("older sluice (format 0.1)"), std::string::npos);
  EXPECT_NE(parsed.error().detail.find("export its backups with that version"), std::string::npos);
  EXPECT_FALSE(is_damage(parsed.error())) << "its copy says the same";
}

TEST(RepositoryMark, RefusesAnUnknownCipherAndAMissingSecret) {
  const auto cipher = parse_changed(R"("cipher":"none")", R"("cipher":"rot13")");
  EXPECT_EQ(cipher.error().code, Errc::unsupported_feature);
  EXPECT_NE(cipher.error().detail.find("rot13"), std::string::npos);
  EXPECT_EQ(parse_changed(R"("cipher":"none")", R"("cipher":"aes-256-gcm")").error().code,
            Errc::corrupt)
      << "encrypted, and no key check";
  EXPECT_EQ(parse_changed(R"("cipher":"none",)", "").error().code, Errc::corrupt);
  EXPECT_EQ(parse_changed("e0e1e2", "E0e1e2").error().code, Errc::corrupt);
  EXPECT_EQ(parse_changed("e0e1e2", "").error().code, Errc::corrupt);
}

TEST(RepositoryMark, H2_RefusesAnotherMajorAndNamesIt) {
  RepositoryMark mark = sample_mark();
  mark.major = 7;
  const auto parsed = parse_mark(serialize(mark), "FORMAT");
  EXPECT_EQ(parsed.error().code, Errc::unsupported_format);
  EXPECT_NE(parsed.error().detail.find("format 7.2"), std::string::npos) << parsed.error().detail;
}

TEST(RepositoryMark, H2_RefusesOnlyTheOperationThatNeedsAnUnknownFeature) {
  RepositoryMark mark = sample_mark();
  mark.required[static_cast<std::size_t>(Operation::gc)] = {"shared-packs"};
  const auto parsed = parse_mark(serialize(mark), "FORMAT");
  ASSERT_OK(parsed);
  EXPECT_OK(check_features(*parsed, Operation::read, "FORMAT"));
  const auto refused = check_features(*parsed, Operation::gc, "FORMAT");
  EXPECT_EQ(refused.error().code, Errc::unsupported_feature);
  EXPECT_NE(refused.error().detail.find("shared-packs"), std::string::npos);
}

TEST(RepositoryMark, IgnoresFieldsItDoesNotKnow) {
  const std::string text =
      R"({"magic":"sluice-repository","repository_id":"000102030405060708090a0b0c0d0e0f",)"
      R"("format_major":0,"format_minor":9,"key_slots":[],"cipher":"none",)"
      R"("secret":"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",)"
      R"("required_features":{}})";
  EXPECT_OK(parse_mark(seal(text), "FORMAT"));
}

TEST(RepositoryMark, RefusesWhatIsSealedButNotAMark) {
  for (const char* text :
       {"", "[]", "{}", "null", R"({"magic":"sluice-repository"})",
        R"({"magic":"sluice-repository","format_major":-1,"format_minor":2})",
        R"({"magic":"sluice-repository","format_major":0,"format_minor":2,"cipher":"none"})"})
    EXPECT_EQ(parse_mark(seal(text), "FORMAT").error().code, Errc::corrupt) << text;
}

TEST(Head, ReadsBackWhatWasWritten) {
  Head head{.state = HeadState::committed,
            .generation = 2,
            .repository_id = "r",
            .key = {.instance = "a", .id = std::string(sample_text)},
            .owner = {.host = "h", .pid = 7, .boot_id = "b"},
            .started_at_ms = 5,
            .manifest_digest = xxh3_128({}),
            .parent = {}};
  for (const std::optional<BackupId> parent :
       {std::optional<BackupId>(), std::optional(sample_id)}) {
    head.parent = parent;
    const auto parsed = parse_head(serialize(head), "HEAD");
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->parent, parent);
    EXPECT_EQ(serialize(*parsed), serialize(head));
  }
  head.state = HeadState::fenced;
  head.parent_manifest_digest = xxh3_128({});
  head.lease_until_ms = 6;
  head.fenced_by = Owner{.host = "i", .pid = 8, .boot_id = {}};
  head.manifest_number = 9;
  const auto fenced = parse_head(serialize(head), "HEAD");
  ASSERT_OK(fenced);
  EXPECT_EQ(serialize(*fenced), serialize(head));
  EXPECT_EQ(fenced->fenced_by->pid, 8);
  EXPECT_EQ(parse_head(seal(R"({"magic":"sluice-head","state":"melted"})"), "HEAD").error().code,
            Errc::unsupported_format);
  EXPECT_EQ(parse_head(seal("{}"), "HEAD").error().code, Errc::corrupt);
  EXPECT_EQ(parse_head(seal(R"({"magic":"sluice-head","state":"running"})"), "HEAD").error().code,
            Errc::corrupt);
}

}  // namespace
}  // namespace sluice::storage
