// Ways into an encrypted repository.

#include <gtest/gtest.h>

#include "storage/checksum.h"
#include "storage/key_ring.h"
#include "storage/layout.h"
#include "storage/sealed_text.h"
#include "tests/storage/chain_fixture.h"

namespace sluice::storage {
namespace {

RepositorySecret a_secret() {
  RepositorySecret secret;
  for (std::size_t i = 0; i < RepositorySecret::size(); ++i) secret[i] = static_cast<std::byte>(i);
  return secret;
}
constexpr RepositoryCipher::Id an_id{std::byte{1}};
constexpr std::string_view key_file_text = "0123456789abcdef0123456789abcdef";

KeyMaterial material(std::string_view text, KeyKind kind = KeyKind::passphrase) {
  return {.kind = kind, .bytes = SecretBytes(text)};
}

TEST(KeySlot, GivesTheSecretForWhatItWasMadeOf) {
  for (const KeyKind kind : {KeyKind::passphrase, KeyKind::key_file, KeyKind::command}) {
    SCOPED_TRACE(to_string(kind));
    const auto made = make_key_slot(a_secret(), an_id, cheap_slot(key_file_text, kind));
    ASSERT_OK(made);
    const auto slot = parse_key_slot(serialize(*made), made->id, "keys/x");
    ASSERT_OK(slot);
    EXPECT_EQ(slot->kind, kind);
    EXPECT_EQ(slot->label, "a label");
    EXPECT_EQ(slot->created_at_ms, made->created_at_ms);
    const auto opened = open_key_slot(*slot, an_id, material(key_file_text, kind));
    ASSERT_OK(opened);
    ASSERT_TRUE(opened->has_value());
    EXPECT_EQ(**opened, a_secret());
    const auto wrong =
        open_key_slot(*slot, an_id, material("x123456789abcdef0123456789abcdef", kind));
    ASSERT_OK(wrong);
    EXPECT_FALSE(wrong->has_value());
    EXPECT_FALSE(open_key_slot(*slot, {}, material(key_file_text, kind))->has_value())
        << "of another repository";
  }
}

TEST(KeySlot, TakesWhatACommandSaysForAPassphraseAndNoFile) {
  const auto slot = make_key_slot(a_secret(), an_id, cheap_slot(key_file_text));
  ASSERT_OK(slot);
  EXPECT_TRUE(open_key_slot(*slot, an_id, material(key_file_text, KeyKind::command))->has_value());
  EXPECT_FALSE(
      open_key_slot(*slot, an_id, material(key_file_text, KeyKind::key_file))->has_value());
}

TEST(KeySlot, IsAuthenticatedAsAWhole) {
  const auto made = make_key_slot(a_secret(), an_id, cheap_slot("secret"));
  ASSERT_OK(made);
  const auto opens = [&](auto change) {
    KeySlot slot = *made;
    change(slot);
    return open_key_slot(slot, an_id, material("secret"))->has_value();
  };
  EXPECT_TRUE(opens([](KeySlot&) {}));
  EXPECT_FALSE(opens([](KeySlot& slot) { slot.label = "another"; }));
  EXPECT_FALSE(opens([](KeySlot& slot) { slot.kind = KeyKind::command; }));
  EXPECT_FALSE(opens([](KeySlot& slot) { slot.id = "00000000"; }));
  EXPECT_FALSE(opens([](KeySlot& slot) { ++slot.created_at_ms; }));
  EXPECT_FALSE(opens([](KeySlot& slot) { slot.cost.n *= 2; }));
  EXPECT_FALSE(opens([](KeySlot& slot) { slot.wrapped[0] ^= std::byte{1}; }));
}

TEST(KeySlot, RefusesWhatIsNoKeyOrTooDear) {
  const auto made = [](std::string_view text, KeyKind kind) {
    return make_key_slot(a_secret(), an_id, cheap_slot(text, kind)).error().code;
  };
  EXPECT_EQ(made("", KeyKind::passphrase), Errc::limit_exceeded);
  EXPECT_EQ(made("31 bytes of a key file are few.", KeyKind::key_file), Errc::limit_exceeded);
  NewKeySlot slot = cheap_slot("secret");
  slot.label = "two\nlines";
  EXPECT_EQ(make_key_slot(a_secret(), an_id, slot).error().code, Errc::bad_name);
  slot = cheap_slot("secret");
  slot.cost.n = std::uint64_t{1} << 40;
  EXPECT_EQ(make_key_slot(a_secret(), an_id, slot).error().code, Errc::limit_exceeded);
  KeySlot dear = *make_key_slot(a_secret(), an_id, cheap_slot("secret"));
  dear.cost.r = 1U << 30;
  EXPECT_EQ(parse_key_slot(serialize(dear), dear.id, "keys/x").error().code, Errc::limit_exceeded);
  EXPECT_EQ(
      parse_key_slot(seal(R"({"magic":"sluice-key","kind":"oracle"})"), "x", "keys/x").error().code,
      Errc::unsupported_feature);
}

class KeyRing : public Chains {
 protected:
  KeyRing() : Chains({.decorate = {}}, "first") {}

  [[nodiscard]] const Layout& layout() const { return *repository_->shared_layout(); }
  [[nodiscard]] Result<std::unique_ptr<Repository>> open_with(std::string passphrase) const {
    return Repository::open(root_, {.key = key_of(std::move(passphrase)), .io = {}, .on_step = {}});
  }
};

TEST_F(KeyRing, OpensByEachOfItsSlotsUntilThatIsRemoved) {
  const auto first = list_key_slots(layout());
  ASSERT_OK(first);
  ASSERT_EQ(first->size(), 1u);
  const auto second = add_key_slot(layout(), cheap_slot("second"));
  ASSERT_OK(second);
  EXPECT_OK(open_with("first"));
  EXPECT_OK(open_with("second"));
  const auto key = take(some_chunks(3, 1000));
  ASSERT_OK(key);

  EXPECT_OK(remove_key_slot(layout(), first->front().slot.id));
  const auto refused = open_with("first");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::wrong_key);
  EXPECT_NE(refused.error().detail.find("keys: 1 key slot tried"), std::string::npos)
      << refused.error().detail;
  repository_ = *open_with("second");
  expect_whole(*key, some_chunks(3, 1000));
}

TEST_F(KeyRing, KeepsItsLastSlot) {
  const std::string only = list_key_slots(layout())->front().slot.id;
  const auto removed = remove_key_slot(layout(), only);
  EXPECT_EQ(removed.error().code, Errc::last_key);
  EXPECT_NE(removed.error().detail.find("keys/" + only), std::string::npos);
  const auto second = add_key_slot(layout(), cheap_slot("second"));
  ASSERT_OK(second);
  write_file(root_ / "keys" / *second, bytes_of("damaged"));
  EXPECT_EQ(remove_key_slot(layout(), only).error().code, Errc::last_key)
      << "what is damaged opens nothing";
  EXPECT_OK(remove_key_slot(layout(), *second));
  EXPECT_EQ(remove_key_slot(layout(), *second).error().code, Errc::not_found);
}

TEST_F(KeyRing, TellsOfADamagedSlotWithTheRefusal) {
  const std::string only = list_key_slots(layout())->front().slot.id;
  write_file(root_ / "keys" / only, bytes_of("damaged"));
  const auto opened = open_with("first");
  EXPECT_EQ(opened.error().code, Errc::wrong_key);
  EXPECT_NE(opened.error().detail.find("0 key slots tried; "), std::string::npos);
  EXPECT_NE(opened.error().detail.find("keys/" + only), std::string::npos);
}

TEST_F(KeyRing, RefusesASlotOfAnotherSecret) {
  const auto foreign = make_key_slot(a_secret(), layout().mark().binary_id(), cheap_slot("forged"));
  ASSERT_OK(foreign);
  const std::string text = serialize(*foreign);
  write_file(root_ / "keys" / foreign->id, std::as_bytes(std::span(text)));
  const auto opened = open_with("forged");
  EXPECT_EQ(opened.error().code, Errc::not_authentic);
  EXPECT_NE(opened.error().detail.find("keys/" + foreign->id), std::string::npos);
}

TEST_F(KeyRing, IsNeededAndIsNotTakenForNothing) {
  const auto without = Repository::open(root_, {.io = {}, .on_step = {}});
  EXPECT_EQ(without.error().code, Errc::key_needed);
  EXPECT_EQ(without.error().detail, root_.string());
  const auto plain = scratch_.path() / "plain";
  ASSERT_OK(Repository::open(plain, {.create_if_missing = true, .io = {}, .on_step = {}}));
  const auto keyed = Repository::open(plain, {.key = key_of("first"), .io = {}, .on_step = {}});
  EXPECT_EQ(keyed.error().code, Errc::wrong_key);
  EXPECT_NE(keyed.error().detail.find("is not encrypted"), std::string::npos);
}

TEST_F(KeyRing, HasASecretThatIsNowhereInClear) {
  const std::string format = [&] {
    const auto bytes = read_file(root_ / "FORMAT");
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }();
  EXPECT_EQ(format.find("\"secret\""), std::string::npos);
  EXPECT_NE(format.find(R"("cipher":"aes-256-gcm")"), std::string::npos);
  const auto cipher = layout().need_cipher();
  ASSERT_OK(cipher);
  for (const auto& file : files_below(root_)) {
    const auto bytes = read_file(file);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_EQ(text.find(to_hex((*cipher)->secret())), std::string::npos) << file;
  }
}

TEST(KeyRingInit, MakesANewRepositoryOrNone) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "r";
  const NewKeySlot slot = cheap_slot("secret");
  const OpenOptions make{
      .create_if_missing = true, .must_create = true, .first_key = &slot, .io = {}, .on_step = {}};
  ASSERT_OK(Repository::open(path, make));
  const auto again = Repository::open(path, make);
  EXPECT_EQ(again.error().code, Errc::exists);
  EXPECT_NE(again.error().detail.find(path.string()), std::string::npos);
}

TEST(KeyRingInit, CutShortDoesNotBecomeAPlainOne) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "r";
  const NewKeySlot slot = cheap_slot("secret");
  ASSERT_OK(Repository::open(
      path, {.create_if_missing = true, .first_key = &slot, .io = {}, .on_step = {}}));
  std::filesystem::remove(path / "FORMAT");
  std::filesystem::remove(path / "FORMAT.copy");  // as it was after the slot was made
  const auto plain = Repository::open(path, {.create_if_missing = true, .io = {}, .on_step = {}});
  EXPECT_EQ(plain.error().code, Errc::not_empty);
  EXPECT_NE(plain.error().detail.find("keys"), std::string::npos);
  const NewKeySlot other = cheap_slot("other");
  ASSERT_OK(Repository::open(
      path, {.create_if_missing = true, .first_key = &other, .io = {}, .on_step = {}}));
  EXPECT_OK(Repository::open(path, {.key = key_of("other"), .io = {}, .on_step = {}}));
  EXPECT_EQ(Repository::open(path, {.key = key_of("secret"), .io = {}, .on_step = {}}).error().code,
            Errc::wrong_key);
}

}  // namespace
}  // namespace sluice::storage
