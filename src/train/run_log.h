// The log of a run: a line of JSON for each step, {"step": 317, "loss": 0.25}.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace tapegrad::train {

class RunLog {
 public:
  /// Opens or makes the file. Throws FormatError where it cannot.
  explicit RunLog(std::string path);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// One line more, in one write. Throws FormatError where the disk does not take it.
  void append(int64_t step, double loss);
  /// Waits until the disk has all lines.
  void sync() const;
  /// The losses by step, the last line of each step. What is no whole line is left out: a crash may have cut one.
  std::map<int64_t, double> read() const;

 private:
  std::string path_;
  int file_;
};

}  // namespace tapegrad::train
