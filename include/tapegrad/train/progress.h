#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

namespace tapegrad::train {

struct ProgressOptions {
  std::string label = {};        ///< what is in progress, in front of the bar
  std::FILE* stream = stderr;    ///< where to draw; nothing is drawn unless it is a terminal
  double seconds_between = 0.1;  ///< at least so long from one drawing to the next
};

/// A progress bar with numbers of one's own and the time left:
///
///     mlp [##########..............]  42 %  loss 0.0931  accuracy 0.973  0:07 left
///
///     train::Progress progress(epochs * loader.batches(), {.label = "mlp"});
///     for (...) progress.step({{"loss", loss.item()}, {"accuracy", accuracy}});
///
/// It fits the terminal's width: the bar gives way first, then the line is cut. Where the stream is no
/// terminal (a file, a pipe, a test) nothing is written at all. The end of the scope calls finish(), which
/// shows the time taken.
class Progress {
 public:
  struct Field {
    const char* name;  ///< a literal, or whatever lives as long as the bar
    double value;      ///< shown with four digits
  };

  /// `total` steps will be made. Throws ValueError if it is negative.
  explicit Progress(int64_t total, ProgressOptions options = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One step is done; `fields` are the numbers to show from now on.
  void step(std::initializer_list<Field> fields = {});
  /// `done` steps are done: for loops that end by the clock, of which `total` is only a measure.
  void set(int64_t done, std::initializer_list<Field> fields = {});
  /// Draws it a last time and ends the line; further calls do nothing.
  void finish();
  /// Takes the bar off the screen, so that other text can be written; the next step draws it again.
  void clear();

  int64_t done() const { return done_; }
  /// Since the bar was made.
  double seconds() const;
  /// The line as it would be drawn on a terminal of that many columns.
  std::string line(int columns) const;

 private:
  void draw();

  int64_t total_, done_ = 0;
  ProgressOptions options_;
  bool terminal_, finished_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
  std::vector<Field> fields_;
};

}  // namespace tapegrad::train
