#include "supervisor/signature.h"

#include <cstring>
#include <sodium/crypto_sign_ed25519.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kEnd = "-----END PUBLIC KEY-----";
constexpr size_t kMostKeys = 16;

// SubjectPublicKeyInfo of an Ed25519 key, up to the key's own 32 bytes: RFC 8410, section 10.1.
constexpr unsigned char kPrefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

int Base64Value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 4648, with blanks and ends of lines wherever they stand.
std::optional<std::string> DecodeBase64(std::string_view text) {
    std::string bytes;
    unsigned bits = 0, held = 0;
    bool over = false;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        const int value = Base64Value(c);
        over |= c == '=';
        if (over ? c != '=' : value < 0) return std::nullopt;
        if (over) continue;
        held = held << 6 | static_cast<unsigned>(value);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(held >> bits);
    }
    return bytes;
}

Result<PublicKey> ParseBlock(std::string_view text) {
    PublicKey key;
    const auto bytes = DecodeBase64(text);
    if (!bytes || bytes->size() != sizeof kPrefix + key.size() ||
        std::memcmp(bytes->data(), kPrefix, sizeof kPrefix) != 0)
        return Fail("a key in it is none of Ed25519 (openssl genpkey -algorithm ed25519)");
    std::memcpy(key.data(), bytes->data() + sizeof kPrefix, key.size());
    return key;
}

}  // namespace

Result<std::vector<PublicKey>> ParsePublicKeys(std::string_view text) {
    std::vector<PublicKey> keys;
    for (size_t at; (at = text.find(kBegin)) != text.npos;) {
        text.remove_prefix(at + kBegin.size());
        const size_t end = text.find(kEnd);
        if (end == text.npos) return Fail("its last key is cut off");
        auto key = ParseBlock(text.substr(0, end));
        if (!key) return Fail(std::move(key).error());
        if (keys.size() == kMostKeys) return Fail("more than ", std::to_string(kMostKeys), " keys");
        keys.push_back(*key);
    }
    if (keys.empty()) return Fail("no public key in it (openssl pkey -in key.pem -pubout)");
    return keys;
}

Result<Signature> ParseSignature(std::string_view bytes) {
    Signature signature;
    std::string decoded(bytes);
    if (bytes.size() != signature.size()) decoded = DecodeBase64(bytes).value_or("");
    if (decoded.size() != signature.size())
        return Fail("the signature is no Ed25519 signature: 64 bytes, or those in Base64");
    std::memcpy(signature.data(), decoded.data(), signature.size());
    return signature;
}

Result<size_t> FindSigner(std::span<const unsigned char> bytes, const Signature& signature,
                          std::span<const PublicKey> keys) {
    const auto signer = std::ranges::find_if(keys, [&](const PublicKey& key) {
        return crypto_sign_ed25519_verify_detached(signature.data(), bytes.data(), bytes.size(),
                                                   key.data()) == 0;
    });
    if (signer == keys.end())
        return Fail(
            "none of the device's keys has signed this file: it was changed, or another "
            "key has");
    return static_cast<size_t>(signer - keys.begin());
}

}  // namespace husk::supervisor
