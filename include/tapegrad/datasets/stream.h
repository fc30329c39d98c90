// Data of which one knows only the next sample: lines of a file that is larger than memory, what a program makes up.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tapegrad/error.h>
#include <tapegrad/random.h>
#include <tapegrad/state.h>

namespace tapegrad::datasets {

/// The lines of a text file, read piece by piece: for each epoch a function that gives the next line, without its line end, or
/// nothing at the end. **Throws** FormatError where the file cannot be read, and for a line of more than 16 MiB.
std::function<std::function<std::optional<std::string>()>(int64_t epoch)> lines(const std::string& path);

struct StreamOptions {
  int64_t batch_size = 1;  ///< >= 1
  /// Samples that wait: each that comes takes the place of one of them by chance, which goes into the batch. 0: in order.
  int64_t shuffle = 0;
  bool drop_last = false;  ///< leave out a last batch that is smaller than the others
  uint64_t seed = 0;       ///< of the chance
};

/// What streams of all kinds have in common: where they are.
class StreamState : public Stateful {
 public:
  int64_t epoch() const { return epoch_; }
  /// Batches of this epoch that were handed out.
  int64_t position() const { return position_; }
  /// The next loop is the rest of `epoch` from batch `position` on, up to which samples are read and dropped. Throws IndexError
  /// unless both are at least 0.
  void seek(int64_t epoch, int64_t position = 0);
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 protected:
  explicit StreamState(StreamOptions options);
  /// Begins a loop, and returns how many batches to drop.
  int64_t start();
  void finish();
  /// Where the next sample goes among those that wait.
  size_t place(size_t waiting) { return size_t(random_.below(int64_t(waiting))); }

  StreamOptions options_;
  int64_t epoch_ = 0, position_ = 0;
  bool running_ = false;

 private:
  Generator random_;
};

/// Batches of a stream, in a loop:
///
///     datasets::Stream corpus(datasets::lines("corpus.txt"), encode, {.batch_size = 32, .shuffle = 10000});
///     for (auto batch : corpus) ...       // batch is what encode() makes of a std::vector<std::string>
///
/// `open(epoch)` gives a function that gives the next sample in a std::optional, or nothing at the end; `collate` makes a
/// batch of a vector of samples. Each loop is an epoch. A run that was stopped goes on with the same batches.
template <class Open, class Collate>
class Stream : public StreamState {
  using Next = std::invoke_result_t<const Open&, int64_t>;
  using Sample = typename std::invoke_result_t<Next&>::value_type;

 public:
  Stream(Open open, Collate collate, StreamOptions options = {})
      : StreamState(options), open_(std::move(open)), collate_(std::move(collate)) {}

  struct End {};
  struct Iterator {
    Stream* stream;
    auto operator*() const {
      ++stream->position_;
      return stream->collate_(std::as_const(stream->batch_));
    }
    Iterator& operator++() {
      stream->fill();
      return *this;
    }
    bool operator!=(End) const {
      if (stream->batch_.empty()) stream->finish();
      return stream->running_;
    }
  };
  Iterator begin() {
    const int64_t dropped = start();
    next_.emplace(open_(epoch_));
    waiting_.clear();
    for (int64_t i = 0; i <= dropped; ++i) fill();
    return {this};
  }
  End end() const { return {}; }

 private:
  void fill() {
    batch_.clear();
    while (int64_t(batch_.size()) < options_.batch_size)
      if (std::optional<Sample> sample = sample_after_waiting())
        batch_.push_back(std::move(*sample));
      else
        break;
    if (options_.drop_last && int64_t(batch_.size()) < options_.batch_size) batch_.clear();
  }
  std::optional<Sample> sample_after_waiting() {
    while (next_) {
      std::optional<Sample> sample = (*next_)();
      if (!sample) {
        next_.reset();
        break;
      }
      if (options_.shuffle == 0) return sample;
      if (int64_t(waiting_.size()) < options_.shuffle) {
        waiting_.push_back(std::move(*sample));
        continue;
      }
      return std::exchange(waiting_[place(waiting_.size())], std::move(*sample));
    }
    if (waiting_.empty()) return std::nullopt;
    std::swap(waiting_[place(waiting_.size())], waiting_.back());
    std::optional<Sample> last = std::move(waiting_.back());
    waiting_.pop_back();
    return last;
  }

  Open open_;
  Collate collate_;
  std::optional<Next> next_;
  std::vector<Sample> waiting_, batch_;
};

}  // namespace tapegrad::datasets
