// A random walk through every state and event, held to the invariants of lifecycle_world.h and to
// the table of transitions; and the page that is printed from the table.
#include <cstdlib>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "lifecycle_world.h"
#include "source_file.h"

namespace husk::supervisor {
namespace {

struct Row {
    State from;
    EventKind event;
    std::vector<State> to;
    const char* does;
};
struct AnyRow {
    EventKind event;
    const char* does;
};

#define HUSK_STATES(...) \
    { __VA_ARGS__ }
std::vector<Row> Rows() {
    using enum State;
    using E = EventKind;
    return {
#define HUSK_ANY(...)
#define HUSK_RULE(state, event, handler, states, does) {state, E::event, HUSK_STATES states, does},
#include "supervisor/lifecycle_table.inc"
#undef HUSK_ANY
#undef HUSK_RULE
    };
}
std::vector<AnyRow> AnyRows() {
    using E = EventKind;
    return {
#define HUSK_RULE(...)
#define HUSK_ANY(event, handler, does) {E::event, does},
#include "supervisor/lifecycle_table.inc"
#undef HUSK_ANY
#undef HUSK_RULE
    };
}

constexpr const char* kEventNames[kEventKinds] = {
    "start wanted",     "stop wanted",       "restart wanted",
    "reload wanted",    "reset failed",      "order ready",
    "order waits",      "requirement lost",  "condition unmet",
    "assertion failed", "launched",          "launch failed",
    "executed",         "step failed",       "main exited",
    "group empty",      "command done",      "ready",
    "reload started",   "stop announced",    "sign of life",
    "watchdog trigger", "watchdog interval", "extend timeout",
    "unhealthy",        "memory ran out",    "image damaged",
    "triggered",        "deadline",          "runtime over",
    "watchdog late"};

const Row* FindRow(const std::vector<Row>& rows, size_t state, size_t event) {
    for (const Row& row : rows)
        if (static_cast<size_t>(row.from) == state && static_cast<size_t>(row.event) == event)
            return &row;
    return nullptr;
}

long StepsWanted() {
    const char* wanted = ::getenv("HUSK_MODEL_STEPS");
    return wanted != nullptr ? ::atol(wanted) : 300'000;
}

// 10 million of them: tests/run, the ring "model" (a build without sanitizers).
TEST(LifecycleModel, RandomEventsInRandomGraphsKeepTheInvariants) {
    const std::vector<Row> rows = Rows();
    constexpr int kStepsOfARun = 2000;
    Seen seen;
    long launches = 0;
    const long runs = StepsWanted() / kStepsOfARun;
    for (long run = 0; run < runs; ++run) {
        LifecycleWorld world(static_cast<unsigned>(run), seen);
        for (int step = 0; step < kStepsOfARun; ++step)
            ASSERT_TRUE(world.Step()) << "run " << run << ": " << world.broken();
        ASSERT_TRUE(world.StopEnds()) << "run " << run << ": " << world.broken();
        launches += world.launches();
    }
    EXPECT_GT(launches, runs * 10);
    for (size_t state = 0; state < seen.size(); ++state)
        for (size_t event = 0; event < seen[state].size(); ++event) {
            const uint32_t got = seen[state][event];
            const Row* row = FindRow(rows, state, event);
            const std::string where =
                Cat(SubStateName(static_cast<State>(state)), " x ", kEventNames[event]);
            // What has no row does nothing.
            uint32_t allowed = 1u << state;
            if (row != nullptr) allowed = 0;
            if (row != nullptr)
                for (State to : row->to) allowed |= 1u << static_cast<int>(to);
            EXPECT_EQ(got & ~allowed, 0u) << where << " leads where the table does not say";
            // The timer's three meanings are not told apart here.
            const bool timer = event >= static_cast<size_t>(EventKind::kTimer);
            if (row != nullptr && runs > 1000 && !timer) {
                EXPECT_EQ(allowed & ~got, 0u) << where << " never led where the table says";
            }
        }
}

// --- the page ----------------------------------------------------------------------------------

std::string Page() {
    std::string page =
        "# The life of a unit\n\n"
        "Printed from `supervisor/lifecycle_table.inc` by the unit tests (`HUSK_WRITE_DOCS=1\n"
        "build/host/unit_tests --gtest_filter='LifecyclePage*'`); do not edit. A pair of state "
        "and\n"
        "event without a row means that nothing happens. `husk status` shows the states by the "
        "name\n"
        "in the second column.\n\n"
        "## States\n\n| state | shown as | processes | others may go on | counts as up |\n"
        "|---|---|---|---|---|\n";
    auto mark = [](bool yes) { return yes ? "yes" : ""; };
    for (int i = 0; i < kStates; ++i) {
        const State state = static_cast<State>(i);
        page += Cat("| ", SubStateName(state), " | ", StateName(state), " | ",
                    mark(HasProcesses(state)), " | ", mark(IsSettled(state)), " | ",
                    mark(IsUp(state)), " |\n");
    }
    page += "\n## Transitions\n\n| in | on | it | and is then |\n|---|---|---|---|\n";
    for (const Row& row : Rows()) {
        std::vector<std::string> to;
        for (State state : row.to) to.emplace_back(SubStateName(state));
        page += Cat("| ", SubStateName(row.from), " | ", kEventNames[static_cast<int>(row.event)],
                    " | ", row.does, " | ", Join(to, ", "), " |\n");
    }
    for (const AnyRow& row : AnyRows())
        page += Cat("| any | ", kEventNames[static_cast<int>(row.event)], " | ", row.does,
                    " | the same |\n");
    page +=
        "\n## What always holds\n\n"
        "Checked after every step of a random walk (`tests/unit/lifecycle_world.cc`): units in "
        "random\n"
        "graphs, kernels, programs and people that behave as badly as they may.\n\n";
    const std::string header = ReadSource("tests/unit/lifecycle_world.h");
    for (std::string_view line : Split(header, '\n'))
        if (line.starts_with("//  ") || line.starts_with("// 1")) {
            line.remove_prefix(line.starts_with("//  ") ? 4 : 3);
            const size_t blank = line.find(' ');
            page += Cat(line.substr(0, blank), ". ", line.substr(blank + 1), "\n");
        }
    return page;
}

TEST(LifecyclePage, TheCommittedPageIsThatOfTheTable) {
    const char* path = "docs/lifecycle.md";
    if (::getenv("HUSK_WRITE_DOCS") != nullptr) {
        ASSERT_TRUE(WriteFileAtomically(SourcePath(path), Page()));
    }
    EXPECT_EQ(ReadSource(path), Page()) << "HUSK_WRITE_DOCS=1 writes it anew";
}

}  // namespace
}  // namespace husk::supervisor
