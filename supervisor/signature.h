// Signatures by Ed25519 (RFC 8032) beside a file, as openssl makes them:
//
//   openssl genpkey -algorithm ed25519 -out key.pem
//   openssl pkey -in key.pem -pubout >> upgrade.pub
//   openssl pkeyutl -sign -rawin -inkey key.pem -in FILE -out FILE.sig
//
// Pure; any bytes may come.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::supervisor {

using PublicKey = std::array<unsigned char, 32>;
using Signature = std::array<unsigned char, 64>;

// All keys of a text of PEM blocks ("-----BEGIN PUBLIC KEY-----", RFC 7468, RFC 8410); what stands
// between them is no matter. A block that is no Ed25519 key is an error, so is a text without any.
Result<std::vector<PublicKey>> ParsePublicKeys(std::string_view text);
// 64 bytes, or the same in Base64.
Result<Signature> ParseSignature(std::string_view bytes);
// The key that has signed these bytes, counted from 0; an error where none of them has.
Result<size_t> FindSigner(std::span<const unsigned char> bytes, const Signature& signature,
                          std::span<const PublicKey> keys);

}  // namespace husk::supervisor
