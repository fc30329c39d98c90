// What was seen, in the formats of other tools: TensorBoard's event files, and traces for Perfetto and chrome://tracing.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include <tapegrad/inspect/microscope.h>
#include <tapegrad/tensor.h>

namespace tapegrad::inspect {

/// Writes the rows of a listing as Chrome's JSON trace: forward and backward on one line of time, with module, shapes, FLOPs and bytes.
/// Open it with ui.perfetto.dev. **Throws** FormatError where it cannot be written.
void write_trace(const Listing& listing, const std::string& path);

/// An event file that TensorBoard reads, `events.out.tfevents.TIME.tapegrad` in `folder`, which is made.
///
///     inspect::EventFile board("runs/first");
///     board.scalar("loss", loss.item(), step);
///     board.histogram("fc1.weight", model.fc1.weight, step);
///
/// Each call is one record, flushed. **Throws** FormatError where it cannot be written.
/// **Source**: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.cc (Castagnoli's CRC-32).
class EventFile {
 public:
  explicit EventFile(const std::string& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(const std::string& tag, double value, int64_t step);
  /// 30 bins of equal width over the finite values.
  void histogram(const std::string& tag, const Tensor& values, int64_t step);
  /// A histogram that is there already; `n` elements with the mean and deviation of `numbers`.
  void histogram(const std::string& tag, const Numbers& numbers, int64_t step);
  /// `image` [C, H, W] with C 1 or 3, in [0, 1]. **Throws** ShapeError for another shape.
  void image(const std::string& tag, const Tensor& image, int64_t step);
  /// Markdown.
  void text(const std::string& tag, const std::string& text, int64_t step);
  const std::string& path() const { return path_; }

 private:
  void summary(const std::string& value, int64_t step);
  void record(const std::string& event);

  std::string path_;
  std::FILE* file_;
};

/// A Microscope's log as an event file in `folder`: loss, metrics, learning rate; norms, ratios and histograms of each look; settings and
/// notes as text. **Throws** FormatError.
void write_tensorboard(const std::string& log, const std::string& folder);

}  // namespace tapegrad::inspect
