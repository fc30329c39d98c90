// This test program as a process of its own: what is killed, traced, or begins with empty memory.
//
//   const Child saves("saves", [](const std::string& folder) { ...; return 0; });
//   std::system(saves.command(folder).c_str());
#pragma once
#include <string>

namespace tapegrad {

/// Work that a process begun by command() does in place of the tests, and its exit code. Lives as long as the program.
class Child {
 public:
  using Work = int (*)(const std::string& argument);
  Child(std::string name, Work work);
  /// For the shell.
  std::string command(const std::string& argument) const;

 private:
  std::string name_;
};

/// The exit code of a command of the shell; -1 where a signal ended it.
int exit_code(const std::string& command);

}  // namespace tapegrad
