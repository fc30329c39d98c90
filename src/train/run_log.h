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

  /// One line more. It goes to the file with those of the last hundredth of a second, in one write. Throws FormatError where
  /// the disk does not take it.
  void append(int64_t step, double loss);
  /// Writes the lines that wait.
  void flush();
  /// The same, and waits until the disk has all lines.
  void sync();
  /// The losses by step. A step that comes again, in a run that went back, takes the place of all from there on. What is no
  /// whole line is left out: a crash may have cut one.
  std::map<int64_t, double> read();

 private:
  std::string path_, waiting_;
  int file_;
  double written_at_ = 0;
};

}  // namespace tapegrad::train
