// husk graph: edges with their reasons, the order of start, and the forms that they are printed in.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "cli/format_graph.h"
#include "cli/graph.h"
#include "tests/lib/temporary_folder.h"

namespace husk::cli {
namespace {

class Graph : public ::testing::Test {
  protected:
    void Unit(std::string_view name, std::string_view more = {}) {
        folder_.Write(Cat(name, ".container"), Cat("[Container]\nExec=/x\n", more));
    }
    // A broker, a server that needs it, and two that look on.
    void WriteFour() {
        Unit("broker");
        Unit("web", "[Unit]\nRequires=broker\nAfter=broker\n");
        Unit("side", "Network=web.container\n");
        Unit("logger", "[Unit]\nWants=web\nBefore=broker\n");
    }
    std::string Print(std::string (*format)(const GraphView& view),
                      const std::vector<std::string>& names = {}) {
        const auto units = config::LoadUnits({folder_.path()}).units;
        const auto graph = config::BuildGraph(units);
        const auto order = config::OrderOfStart(units, graph);
        std::string out = format({units, graph, order, Around(units, graph, names)});
        for (size_t at; (at = out.find(folder_.path() + "/")) != out.npos;)
            out.erase(at, folder_.path().size() + 1);
        return out;
    }
    // Of any width, since the folder's name is taken out afterwards.
    static std::string Text(const GraphView& view) { return GraphText(view, {.width = 1000}); }
    static std::string OnConsole(const GraphView& view) { return GraphText(view, Style{}); }
    static std::string Json(const GraphView& view) { return GraphJson(view, {}); }

    testing::TemporaryFolder folder_;
};

TEST_F(Graph, ShowsWhoStartsSideBySideAndTheReasonOfEachEdge) {
    WriteFour();
    EXPECT_EQ(Print(Text),
              "Order of start (units of one line start side by side):\n"
              "   1  logger\n"
              "   2  broker\n"
              "   3  web\n"
              "   4  side\n"
              "\nbroker\n"
              "  after       logger  Before= in logger.container:5\n"
              "\nlogger\n"
              "  wants       web     Wants= in logger.container:4\n"
              "\nside\n"
              "  requires    web     Network= in side.container:3\n"
              "  after       web     Network= in side.container:3\n"
              "\nweb\n"
              "  requires    broker  Requires= in web.container:4\n"
              "  after       broker  After= in web.container:5\n");
}

TEST_F(Graph, AUnitWithoutEdgesStandsInTheOrderAlone) {
    Unit("a");
    Unit("b");
    EXPECT_EQ(Print(Text), "Order of start (units of one line start side by side):\n   1  a b\n");
}

TEST_F(Graph, WhatIsNotEnabledStartsOnDemandUnlessItIsNeeded) {
    Unit("a", "[Install]\nEnabled=no\n");
    Unit("b", "[Unit]\nWants=c\n");
    Unit("c", "[Install]\nEnabled=no\n[Unit]\nRequires=d\nAfter=d a\n");
    Unit("d", "[Install]\nEnabled=no\n");
    const std::string text = Print(Text);
    EXPECT_EQ(text.substr(0, text.find("\n\n")),
              "Order of start (units of one line start side by side):\n"
              "   1  b d\n"
              "   2  c\n"
              "On demand: a");
}

TEST_F(Graph, ADropInIsNamedWithItsFolder) {
    Unit("a");
    Unit("b");
    folder_.Write("b.container.d/10-order.conf", "[Unit]\nAfter=a\n");
    EXPECT_NE(Print(Text).find("  after       a  After= in b.container.d/10-order.conf:2\n"),
              std::string::npos);
}

TEST_F(Graph, RefusedUnitsAndNamesThatAreNoUnitAreMarked) {
    Unit("bad", "Memroy=1M\n");
    Unit("web", "[Unit]\nAfter=gone bad\nWants=bad\n");
    EXPECT_EQ(Print(Text),
              "Order of start (units of one line start side by side):\n"
              "   1  web\n"
              "Refused:   bad\n"
              "\nbad (refused)\n"
              "  bad.container:3: error: unknown key 'Memroy' in [Container] (did you mean "
              "'Memory'?)\n"
              "\nweb\n"
              "  wants       bad (refused)  Wants= in web.container:5\n"
              "  after       bad (refused)  After= in web.container:4\n"
              "  after       gone (not found)  After= in web.container:4\n");
}

TEST_F(Graph, ACycleIsShownWithItsEdgesAndItsPlaces) {
    Unit("a", "[Unit]\nAfter=b\n");
    Unit("b", "[Unit]\nAfter=a\n");
    const std::string text = Print(Text);
    EXPECT_EQ(text.substr(0, text.find('\n')), "Refused:   a b");
    EXPECT_NE(text.find("  after       b (refused)  After= in a.container:4\n"), std::string::npos);
    EXPECT_NE(text.find("ordering cycle: 'a' after 'b'"), std::string::npos) << text;
}

TEST_F(Graph, FitsOnAConsoleOfEightyColumns) {
    for (int i = 0; i < 60; ++i)
        Unit(Cat("unit-with-a-long-name-", std::string(40, 'x'), "-", std::to_string(i)),
             i == 0 ? ""
                    : Cat("[Unit]\nAfter=unit-with-a-long-name-", std::string(40, 'x'), "-0\n"));
    for (int i = 0; i < 60; ++i) Unit(Cat("u", std::to_string(i)));
    const std::string text = Print(OnConsole);
    for (auto line : Split(text, '\n')) EXPECT_LE(Columns(line), 80u) << line;
}

TEST_F(Graph, OfOneUnitIsWhatItLeadsToAndWhatLeadsToIt) {
    Unit("broker", "[Unit]\nAfter=clock\n");
    Unit("clock");
    Unit("web", "[Unit]\nRequires=broker\n");
    Unit("side", "Network=web.container\n");
    Unit("late", "[Unit]\nAfter=side\n");
    Unit("alone");
    Unit("sibling", "[Unit]\nRequires=broker\n");
    EXPECT_EQ(Print(Text, {"web"}),
              "Order of start (units of one line start side by side):\n"
              "   1  clock web\n"
              "   2  broker side\n"
              "   3  late\n"
              "\nbroker\n"
              "  after       clock   After= in broker.container:4\n"
              "\nlate\n"
              "  after       side    After= in late.container:4\n"
              "\nside\n"
              "  requires    web     Network= in side.container:3\n"
              "  after       web     Network= in side.container:3\n"
              "\nweb\n"
              "  requires    broker  Requires= in web.container:4\n");
}

TEST_F(Graph, ForGraphvizHasAStyleForEachRelation) {
    Unit("bad", "Memroy=1M\n");
    Unit("db");
    Unit("web", "[Unit]\nRequires=db\nAfter=db\nWants=gone\n");
    EXPECT_EQ(
        Print(GraphDot),
        "digraph husk {\n"
        "    // solid: requires, bold: binds to, dashed: wants, dotted: after, grey: part of,\n"
        "    // red: conflicts, orange and green: started by its failure or good end\n"
        "    rankdir=LR;\n"
        "    node [shape=box];\n"
        "    \"bad\" [color=red, tooltip=\"bad.container:3: error: unknown key 'Memroy' in "
        "[Container] (did you mean 'Memory'?)\"];\n"
        "    \"db\";\n"
        "    \"web\";\n"
        "    \"web\" -> \"db\" [style=solid, tooltip=\"Requires= in web.container:4\"];\n"
        "    \"web\" -> \"db\" [style=dotted, tooltip=\"After= in web.container:5\"];\n"
        "    \"gone\" [color=grey, fontcolor=grey, tooltip=\"not found\"];\n"
        "    \"web\" -> \"gone\" [style=dashed, tooltip=\"Wants= in web.container:6\"];\n"
        "}\n");
}

TEST_F(Graph, ForGraphvizEscapesWhatAFileHolds) {
    Unit("bad", "Us\"er\\x=1\n");
    EXPECT_NE(Print(GraphDot).find("'Us\\\"er\\\\x' is not a key"), std::string::npos)
        << Print(GraphDot);
}

TEST_F(Graph, AsJsonHasTheDocumentedShape) {
    WriteFour();
    Unit("lost", "[Unit]\nWants=gone\n[Install]\nEnabled=no\n");
    rapidjson::Document document;
    document.Parse(Print(Json).c_str());
    ASSERT_FALSE(document.HasParseError());
    EXPECT_EQ(document["version"].GetInt(), 1);
    ASSERT_EQ(document["levels"].Size(), 4u);
    EXPECT_STREQ(document["levels"][2][0].GetString(), "web");
    EXPECT_STREQ(document["on_demand"][0].GetString(), "lost");
    EXPECT_TRUE(document["problems"].Empty());
    const auto& lost = document["units"][2];
    EXPECT_STREQ(lost["name"].GetString(), "lost");
    EXPECT_STREQ(lost["path"].GetString(), "lost.container");
    EXPECT_FALSE(lost["refused"].GetBool());
    EXPECT_STREQ(lost["error"].GetString(), "");
    const auto& edge = lost["edges"][0];
    EXPECT_STREQ(edge["relation"].GetString(), "wants");
    EXPECT_STREQ(edge["unit"].GetString(), "gone");
    EXPECT_FALSE(edge["found"].GetBool());
    EXPECT_STREQ(edge["key"].GetString(), "Wants");
    EXPECT_STREQ(edge["file"].GetString(), "lost.container");
    EXPECT_EQ(edge["line"].GetInt(), 4);
}

class GraphCommand : public Graph {
  protected:
    int Run(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "graph");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        OwnedFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        OwnedFd out(::dup(STDOUT_FILENO)), error(::dup(STDERR_FILENO));
        ::dup2(null.get(), STDOUT_FILENO);
        ::dup2(null.get(), STDERR_FILENO);
        const int status = GraphMain(static_cast<int>(arguments.size()), argv.data());
        ::dup2(out.get(), STDOUT_FILENO);
        ::dup2(error.get(), STDERR_FILENO);
        return status;
    }
};

TEST_F(GraphCommand, ReadsFoldersAndFilesAndNamesOfUnits) {
    WriteFour();
    Unit("bad", "Memroy=1M\n");
    EXPECT_EQ(Run({folder_.path()}), 0);
    EXPECT_EQ(Run({"--dot", folder_ / "web.container"}), 0);
    EXPECT_EQ(Run({"--json", folder_.path(), "web", "broker.container"}), 0);
    EXPECT_EQ(Run({folder_.path(), "nobody"}), 1);
    EXPECT_EQ(Run({folder_ / "gone"}), 1);
    EXPECT_EQ(Run({"--dot", "--json", folder_.path()}), 2);
    EXPECT_EQ(Run({"--nonsense"}), 2);
    EXPECT_EQ(Run({"--help"}), 0);
}

}  // namespace
}  // namespace husk::cli
