// Arguments of the examples: --name value, or --name=value; and where their data lies.
//
//   int main(int argc, char** argv) {
//     return run(argc, argv, "Learns a text, character by character.", [](Arguments& arguments) {
//       const int64_t hidden = arguments.integer("hidden", 128, "size of the state", {1, 4096});
//       const std::string cell = arguments.choice("cell", "lstm", {"rnn", "lstm", "gru"}, "kind of cell");
//       arguments.finish();          // answers --help; ends the program if an argument is wrong or unknown
//       ...
//       return 0;
//     });
//   }
//
// A program without any says Arguments(argc, argv, "what it does").finish().
#pragma once
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// The folder of this header. One who compiles by hand runs the program there.
#ifndef TAPEGRAD_EXAMPLES_DIR
#define TAPEGRAD_EXAMPLES_DIR "."
#endif

/// A file that ships with the examples.
inline std::string data_file(const std::string& name) { return TAPEGRAD_EXAMPLES_DIR "/data/" + name; }

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

class Arguments {
 public:
  Arguments(int argc, char** argv, std::string summary) : program_(argv[0]), summary_(std::move(summary)) {
    for (int i = 1; i < argc; ++i) given_.push_back(argv[i] == std::string_view("-h") ? "--help" : argv[i]);
    program_ = program_.substr(program_.find_last_of("/\\") + 1);
  }

  bool flag(const std::string& name, const std::string& help) {
    describe("--" + name, "", help);
    const std::string* value = find(name, false);
    if (value && !value->empty()) reject(fmt::format("--{} takes no value, got '{}'", name, *value));
    return value != nullptr;
  }
  int64_t integer(const std::string& name, int64_t by_default, const std::string& help, Range range = {}) {
    return int64_t(parse<int64_t>(name, by_default, "a whole number", help, range));
  }
  double number(const std::string& name, double by_default, const std::string& help, Range range = {}) {
    return parse<double>(name, by_default, "a number", help, range);
  }
  std::string text(const std::string& name, const std::string& by_default, const std::string& help) {
    describe("--" + name + " TEXT", by_default == "\n" ? "a new line" : by_default, help);
    const std::string* value = find(name, true);
    return value ? *value : by_default;
  }
  std::string choice(const std::string& name, const std::string& by_default, const std::vector<std::string>& choices,
                     const std::string& help) {
    const std::string all = fmt::format("{}", fmt::join(choices, ", "));
    describe(fmt::format("--{} {}", name, fmt::join(choices, "|")), by_default, help);
    const std::string* value = find(name, true);
    if (!value) return by_default;
    for (const std::string& choice : choices)
      if (*value == choice) return choice;
    reject(fmt::format("--{} takes one of {}, got '{}'", name, all, *value));
    return by_default;
  }

  /// Answers --help, and ends the program with 2 if an argument was wrong.
  void finish() {
    const bool help = flag("help", "this text; -h is the same");
    for (const std::string& argument : given_)
      if (!argument.empty()) reject(fmt::format("there is no argument '{}'", argument));
    if (help) {
      fmt::print("{}\n\nusage: {} [arguments]\n{}", summary_, program_, usage_);
      std::exit(0);
    }
    if (error_.empty()) return;
    fmt::print(stderr, "{}: {}. --help lists them all.\n", program_, error_);
    std::exit(2);
  }

 private:
  void describe(const std::string& argument, const std::string& by_default, const std::string& help) {
    usage_ += fmt::format("  {:<24} {}{}\n", argument, help, by_default.empty() ? "" : " (default " + by_default + ")");
  }
  void reject(const std::string& error) {
    if (error_.empty()) error_ = error;
  }
  // The value of an argument, taken out of the list of those given; the last one counts.
  const std::string* find(const std::string& name, bool wants_value) {
    const std::string option = "--" + name;
    const std::string* found = nullptr;
    for (size_t i = 0; i < given_.size(); ++i) {
      if (given_[i].starts_with(option + "=")) {
        found = &(values_[name] = given_[i].substr(option.size() + 1));
      } else if (given_[i] == option) {
        found = &(values_[name] = "");
        if (wants_value && i + 1 < given_.size() && !given_[i + 1].starts_with("--")) {
          values_[name] = given_[i + 1];
          given_[i + 1].clear();
        } else if (wants_value) {
          reject(option + " needs a value behind it");
        }
      } else {
        continue;
      }
      given_[i].clear();
    }
    return found;
  }
  template <class T>
  double parse(const std::string& name, T by_default, const char* kind, const std::string& help, Range range) {
    describe("--" + name + " N", fmt::format("{}", by_default), help);
    const std::string* text = find(name, true);
    if (!text) return double(by_default);
    T value{};
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    const bool whole = error == std::errc() && end == text->data() + text->size();
    if (!whole || !std::isfinite(double(value)) || double(value) < range.low || double(value) > range.high) {
      const std::string limits = std::isinf(range.low) && std::isinf(range.high) ? ""
                                 : std::isinf(range.high)                        ? fmt::format(" >= {}", range.low)
                                                          : fmt::format(" from {} to {}", range.low, range.high);
      reject(fmt::format("--{} takes {}{}, got '{}'", name, kind, limits, *text));
    }
    return double(value);
  }

  std::string program_, summary_, usage_, error_;
  std::vector<std::string> given_;
  std::map<std::string, std::string> values_;
};

/// Runs the program; an error, of tapegrad or of the system, is a line on stderr and exit code 1.
template <class Program>
int run(int argc, char** argv, const std::string& summary, Program program) {
  try {
    Arguments arguments(argc, argv, summary);
    return program(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
