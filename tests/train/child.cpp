#include "train/child.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace tapegrad {
namespace {

std::map<std::string, Child::Work>& works() {
  static std::map<std::string, Child::Work> all;
  return all;
}

/// Before the first test: a child does its work and is gone.
class Worker : public ::testing::Environment {
  void SetUp() override {
    const char* const name = std::getenv("TAPEGRAD_CHILD");
    if (name) ::_exit(works().at(name)(std::getenv("TAPEGRAD_CHILD_ARGUMENT")));
  }
};
[[maybe_unused]] ::testing::Environment* const worker = ::testing::AddGlobalTestEnvironment(new Worker);

}  // namespace

Child::Child(std::string name, Work work) : name_(std::move(name)) { works()[name_] = work; }

std::string Child::command(const std::string& argument) const {
  return fmt::format("env TAPEGRAD_CHILD={} TAPEGRAD_CHILD_ARGUMENT='{}' '{}' >/dev/null 2>&1", name_, argument,
                     std::filesystem::read_symlink("/proc/self/exe").string());
}

int exit_code(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) && WEXITSTATUS(status) < 128 ? WEXITSTATUS(status) : -1;
}

}  // namespace tapegrad
