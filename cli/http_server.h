// A very small HTTP/1.1 server for one document: GET /metrics, one request a connection. In the
// client process: whatever its clients do, the supervisor sees one request a scrape, and at most
// two scrapes a second.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace husk::cli {

// "9100", "127.0.0.1:9100", "[::1]:9100", "0.0.0.0:9100". Without an address: loopback.
struct ListenAddress {
    std::string address = "127.0.0.1";
    uint16_t port = 0;
    bool v6 = false;
};
Result<ListenAddress> ParseListenAddress(std::string_view text);

enum class HttpStatus {
    kIncomplete = 0,  // go on reading
    kOk = 200,
    kBadRequest = 400,
    kNotFound = 404,
    kNotAllowed = 405,
    kTooLarge = 431,
    kUnavailable = 503,
};
inline constexpr size_t kLargestHttpRequest = 4096;  // bytes, request line and headers

// Pure: what the bytes that have come so far ask for. RFC 9112.
HttpStatus JudgeRequest(std::string_view bytes);
// The whole reply; the connection closes behind it.
std::string HttpReply(HttpStatus status, std::string_view type, std::string_view body);

Result<OwnedFd> ListenHttp(const ListenAddress& at);

// Serves until something fails. `document` gives the body, or an error that becomes 503.
Status ServeHttp(const OwnedFd& listener, const char* type,
                 const std::function<Result<std::string>()>& document);

}  // namespace husk::cli
