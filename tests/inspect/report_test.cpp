// The report and its pictures: what stands in them, and that a browser, where there is one, runs the page without an error.
#include <tapegrad/inspect.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tapegrad {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string place(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("tapegrad_" + name)).string();
}
std::string content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}
size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// A run of `layers` layers; every so many steps looked at.
void run(const std::string& log, int64_t steps, int layers, int64_t every) {
  manual_seed(0);
  nn::Sequential net;
  for (int i = 0; i < layers; ++i)
    net.push_back(nn::Linear(16, 16)), net.push_back(nn::LayerNorm(16)), net.push_back(nn::ReLU());
  optim::Adam adam(net.parameters(), {.lr = 1e-3});
  inspect::Microscope scope(net, adam, {.log = log, .every = every, .config = {{"<hidden>", "16 & more"}}});
  const Tensor x = randn({32, 16});
  for (int64_t i = 0; i < steps; ++i) {
    Tape tape(scope.watch());
    const Tensor loss = mse_loss(net(x), zeros({32, 16}));
    adam.zero_grad();
    tape.backward(loss);
    adam.step();
    scope.step(loss.item(), {{"accuracy", double(i) / double(steps)}});
  }
  scope.note("a finding");
}

TEST(Draw, TicksAreRoundNumbers) {
  EXPECT_THAT(inspect::ticks(0, 1, false), ElementsAre(0, 0.2, 0.4, ::testing::DoubleNear(0.6, 1e-12), 0.8, 1));
  EXPECT_THAT(inspect::ticks(0.5, 2000, true), ElementsAre(1, 10, 100, ::testing::DoubleNear(1000, 1e-9)));
  EXPECT_THAT(inspect::ticks(-1e-3, 1e-3, false), ::testing::SizeIs(5));
}

TEST(Draw, CurvesStandWhereTheirNumbersAre) {
  const std::string svg =
      inspect::line_plot({.title = "a < b", .x_name = "x", .log_y = true, .width = 170, .height = 168},
                         {{.name = "c", .x = {0, 1, 2}, .y = {1, 10, 100}}});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  // 100 x 100 inside the frame, whose left upper corner is (58, 30); one decade is half of it
  EXPECT_THAT(svg, HasSubstr("d=\"M58.0 130.0L108.0 80.0L158.0 30.0\""));
}

TEST(Draw, WhatIsNotFiniteLeavesAGap) {
  const double nan = std::nan("");
  const std::string svg = inspect::line_plot({}, {{.name = "c", .x = {0, 1, 2, 3, 4}, .y = {1, 2, nan, 3, 4}}});
  const std::string path = svg.substr(svg.find("class=\"curve\""), 200);
  EXPECT_EQ(count(path.substr(0, path.find("fill")), "M"), 2u);
  for (const std::string& empty :
       {inspect::line_plot({}, {}), inspect::line_plot({.log_y = true}, {{.name = "c", .x = {0}, .y = {nan}}}),
        inspect::heat_map({}, {}, 0, 1), inspect::density_plot({}, {}), inspect::histogram({}, 0, 0, {})})
    EXPECT_THAT(empty, ::testing::AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

TEST(Draw, WritesAPictureOfItsOwn) {
  const std::string path = place("picture.svg");
  inspect::write_svg(path, inspect::histogram({.title = "h"}, 0, 1, {1, 4, 2}));
  EXPECT_THAT(content(path), ::testing::AllOf(HasSubstr("<style>"), HasSubstr("<title>4</title>")));
  std::filesystem::remove(path);
  EXPECT_THROW(inspect::write_svg("/nowhere/at/all.svg", "<svg></svg>"), FormatError);
}

TEST(Report, IsOneFileThatAsksForNothing) {
  const std::string log = place("report.jsonl"), page = place("report.html");
  run(log, 60, 2, 10);
  inspect::write_report({log}, page);
  const std::string text = content(page);
  EXPECT_THAT(text,
              ::testing::AllOf(HasSubstr("&lt;hidden&gt;"), HasSubstr("16 &amp; more"), HasSubstr("a finding"),
                               HasSubstr("LayerNorm"), HasSubstr(">accuracy<"), HasSubstr("share of dead units")));
  EXPECT_EQ(count(text, "http"), count(text, "http://www.w3.org/2000/svg"));  // a name, not an address
  EXPECT_EQ(count(text, "src="), 0u);
  std::filesystem::remove(log);
  std::filesystem::remove(page);
}

TEST(Report, OfAThousandStepsOfTenLayersIsUnderTwoMegabytes) {
  const std::string log = place("large.jsonl"), page = place("large.html");
  run(log, 1000, 10, 25);
  inspect::write_report({log}, page);
  EXPECT_LT(std::filesystem::file_size(page), 2u << 20);
  EXPECT_GT(std::filesystem::file_size(page), 100u << 10);
  std::filesystem::remove(log);
  std::filesystem::remove(page);
}

TEST(Report, ReadsALogThatACrashHasCut) {
  const std::string log = place("cut.jsonl"), page = place("cut.html");
  run(log, 30, 1, 10);
  const std::string all = content(log);
  std::ofstream(log) << all.substr(0, all.size() * 2 / 3);
  inspect::write_report({log}, page);
  EXPECT_THAT(content(page), HasSubstr("class=\"curve\""));
  std::ofstream(log) << "{\"step\":0}\n";
  EXPECT_THAT([&] { inspect::write_report({log}, page); },
              ::testing::ThrowsMessage<FormatError>(HasSubstr("has no run")));
  EXPECT_THROW(inspect::write_report({place("missing.jsonl")}, page), FormatError);
  EXPECT_THROW(inspect::write_report({}, page), ValueError);
  std::filesystem::remove(log);
  std::filesystem::remove(page);
}

TEST(Report, RunsInABrowserWithoutAnError) {
  const char* const browsers = "command -v chromium || command -v chromium-browser || command -v google-chrome";
  if (std::system((std::string(browsers) + " >/dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << "skipped: there is no Chromium";
  const std::string a = place("browser_a.jsonl"), b = place("browser_b.jsonl"), page = place("browser.html"),
                    dom = place("browser.dom"), problems = place("browser.log"), profile = place("browser_profile");
  run(a, 60, 2, 10);
  run(b, 60, 2, 10);
  inspect::write_report({a, b}, page);
  const std::string command = fmt::format(
      "$({}) --headless --no-sandbox --disable-gpu --user-data-dir='{}' --enable-logging=stderr --v=0 "
      "--dump-dom 'file://{}' >'{}' 2>'{}'",
      browsers, profile, page, dom, problems);
  ASSERT_EQ(std::system(command.c_str()), 0) << content(problems);
  const std::string text = content(dom);
  EXPECT_THAT(content(problems), Not(HasSubstr("CONSOLE")));  // where errors of scripts go
  // The script ran to its end, and counted the curves that it could read.
  const size_t at = text.find("data-ready=\"");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(size_t(std::atoi(text.c_str() + at + 12)), count(text, "class=\"curve\""));
  EXPECT_GT(count(text, "class=\"curve\""), 20u);
  for (const std::string& path : {a, b, page, dom, problems, profile}) std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace tapegrad
