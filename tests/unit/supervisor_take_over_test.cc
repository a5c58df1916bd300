#include <cerrno>
#include <gtest/gtest.h>

#include "supervisor/take_over.h"

namespace husk::supervisor {
namespace {

TEST(TakeOver, WaitsOutWhatPasses) {
    for (const int code : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EINTR, ETIMEDOUT, ECONNRESET})
        EXPECT_TRUE(WillPass(Error::FromErrno(code, "read")));
}

TEST(TakeOver, JudgesByWhatStays) {
    for (const int code : {ENOENT, ESRCH, EINVAL, EIO, EFBIG, EISDIR})
        EXPECT_FALSE(WillPass(Error::FromErrno(code, "read")));
    EXPECT_FALSE(WillPass(Error::Because("no such number")));
    EndIfItPasses("a record", Error::FromErrno(ENOENT, "read"));  // and goes on
}

TEST(TakeOverDeathTest, EndsSoThatTheNextOneAsksAgain) {
    EXPECT_EXIT(EndIfItPasses("records", Error::FromErrno(EMFILE, "read 'x'")),
                testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace husk::supervisor
