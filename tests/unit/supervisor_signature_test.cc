#include <gtest/gtest.h>

#include <algorithm>

#include "supervisor/signature.h"

namespace husk::supervisor {
namespace {

// openssl genpkey, pkey -pubout and pkeyutl -sign -rawin of "a husk".
constexpr std::string_view kKey =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAgGK6zAVvcwrJIgWMOSKQegUA1Ws6VsA+LHG8DWQ351w=\n"
    "-----END PUBLIC KEY-----\n";
constexpr std::string_view kSigned = "a husk";
constexpr std::string_view kSignature =
    "6aoTYTzrnySMDZVZOKF17AjonH78V8AFUXGfA1Zwis2oN6sFrPKWfg3j0PMbg78/"
    "tIQakDi4AXWD12yPx7a5DQ==\n";

std::string Hex(std::string_view digits) {
    std::string bytes;
    for (size_t at = 0; at + 1 < digits.size(); at += 2)
        bytes += static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16));
    return bytes;
}

std::span<const unsigned char> Bytes(std::string_view text) {
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

TEST(Signature, OfOpensslIsTaken) {
    const auto keys = ParsePublicKeys(kKey);
    const auto signature = ParseSignature(kSignature);
    ASSERT_TRUE(keys && signature);
    EXPECT_EQ(FindSigner(Bytes(kSigned), *signature, *keys), 0u);
    EXPECT_FALSE(FindSigner(Bytes("a Husk"), *signature, *keys));
    EXPECT_FALSE(FindSigner(Bytes("a husk "), *signature, *keys));
    EXPECT_FALSE(FindSigner(Bytes(""), *signature, *keys));
    EXPECT_FALSE(FindSigner(Bytes(kSigned), *signature, {}));
    for (size_t bit = 0; bit < 512; ++bit) {
        Signature wrong = *signature;
        wrong[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
        EXPECT_FALSE(FindSigner(Bytes(kSigned), wrong, *keys)) << bit;
    }
}

// RFC 8032, section 7.1, test 2.
TEST(Signature, OfTheStandardIsTakenByTheKeyThatMadeIt) {
    PublicKey key;
    const std::string bytes =
        Hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    std::ranges::copy(bytes, key.begin());
    const auto signature =
        ParseSignature(Hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                           "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
    ASSERT_TRUE(signature);
    std::vector<PublicKey> keys = *ParsePublicKeys(kKey);
    EXPECT_FALSE(FindSigner(Bytes("\x72"), *signature, keys));
    keys.push_back(key);
    EXPECT_EQ(FindSigner(Bytes("\x72"), *signature, keys), 1u);
    // A key of small order would take anything.
    EXPECT_FALSE(FindSigner(Bytes("x"), Signature{}, std::vector<PublicKey>{PublicKey{}}));
}

TEST(PublicKeys, AreAllBlocksOfTheText) {
    const std::string two =
        "# of the owner\n" + std::string(kKey) + "and the next one:\n" + std::string(kKey);
    EXPECT_EQ(ParsePublicKeys(two)->size(), 2u);
    EXPECT_FALSE(ParsePublicKeys(""));
    EXPECT_FALSE(ParsePublicKeys("ssh-ed25519 AAAA"));
    EXPECT_FALSE(ParsePublicKeys(kKey.substr(0, kKey.size() - 4)));
    std::string other(kKey);
    other[30] = 'X';  // of another algorithm
    EXPECT_FALSE(ParsePublicKeys(other));
    EXPECT_FALSE(ParsePublicKeys("-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----"));
    // One bad key spoils all: a device with half of its keys would refuse tomorrow what it takes
    // today.
    EXPECT_FALSE(ParsePublicKeys(std::string(kKey) + other));
    std::string many;
    for (int i = 0; i < 17; ++i) many += kKey;
    EXPECT_FALSE(ParsePublicKeys(many));
}

TEST(SignatureFile, IsSixtyFourBytesOrBase64) {
    const auto signature = ParseSignature(kSignature);
    ASSERT_TRUE(signature);
    const std::string raw(signature->begin(), signature->end());
    EXPECT_EQ(ParseSignature(raw), *signature);
    for (const std::string& bad : {std::string(), raw + "x", raw.substr(1), std::string("abc="),
                                   std::string(kSignature) + "AAAA"})
        EXPECT_FALSE(ParseSignature(bad));
}

}  // namespace
}  // namespace husk::supervisor
