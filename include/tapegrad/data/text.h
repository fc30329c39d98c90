// Text for models that predict the next character.
//
//   data::Text corpus = data::Text::read("book.txt");
//   for (auto [x, y] : data::text_batches(corpus, {.batch_size = 32, .steps = 64})) ...          // recurrent
//   data::LoaderOf loader(data::TextWindows(corpus, 64), {.batch_size = 32, .shuffle = true});   // transformers
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tapegrad/data/dataset.h>

namespace tapegrad::data {

struct TextSplit;

/// A text as numbers: its characters are those of UTF-8, and number k stands for the k-th of those that
/// occur, in the order of their bytes. A byte that is not UTF-8 is a character of its own, so any file is a
/// text.
class Text {
 public:
  explicit Text(std::string_view text);
  /// Throws FormatError if the file cannot be read.
  static Text read(const std::string& path);

  /// Number of characters.
  int64_t size() const { return tokens_.numel(); }
  /// Number of different characters.
  int64_t vocabulary_size() const { return int64_t(characters_.size()); }
  /// int64 [size()].
  const Tensor& tokens() const { return tokens_; }

  /// int64 [characters of `text`]. Throws ValueError for a character that the text does not have.
  Tensor encode(std::string_view text) const;
  /// The characters of an int64 tensor of any shape. Throws IndexError outside [0, vocabulary_size()).
  std::string decode(const Tensor& tokens) const;
  /// The character, in UTF-8, that a number stands for. Throws IndexError outside [0, vocabulary_size()).
  const std::string& character(int64_t token) const;

  /// The first part and the rest, with this vocabulary: auto [train, test] = corpus.split(0.9). Throws
  /// ValueError unless `fraction` is in [0, 1].
  TextSplit split(double fraction) const;

 private:
  Text() = default;
  std::vector<std::string> characters_;  // in order
  Tensor tokens_;
};

struct TextSplit {
  Text train, test;
};

struct TextBatchesOptions {
  int64_t batch_size = 32;  ///< streams read side by side, >= 1
  int64_t steps = 64;       ///< characters of each stream in a batch, >= 1
  int64_t first = 0;        ///< batch to begin with, to go on where a run was stopped
};

/// Cuts the text into `batch_size` streams of equal length and reads them side by side, `steps` characters at
/// a time: x and y are int64 [steps, batch_size], and y is the character after each of x. Column b of a batch
/// goes on where column b of the one before ended, so the state of a recurrent network is carried from batch
/// to batch.
///
///     x[t, b] = token[b L + k steps + t],   y[t, b] = token[b L + k steps + t + 1]
///     L = (size - 1) / batch_size
///
/// What is left at the end of a stream, less than `steps` characters, is not read.
class TextBatches {
 public:
  TextBatches(const Text& corpus, TextBatchesOptions options);

  /// Batches in one pass through the text.
  int64_t batches() const { return length_ / options_.steps; }
  /// Copies of x and y of a batch. Throws IndexError outside [0, batches()).
  Batch operator[](int64_t batch) const;

  struct Iterator {
    const TextBatches* all;
    int64_t batch;
    Batch operator*() const { return (*all)[batch]; }
    Iterator& operator++() {
      ++batch;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return batch != other.batch; }
  };
  Iterator begin() const { return {this, options_.first}; }
  Iterator end() const { return {this, batches()}; }

 private:
  Tensor tokens_;
  TextBatchesOptions options_;
  int64_t length_;  // of a stream
};

/// The windows of `steps` characters as samples of a loader: x and y are int64 [B, steps], and y is the
/// character after each of x. Shuffled, they are random pieces of the text, none twice in an epoch.
///
///     x[b, t] = token[i_b + t],   y[b, t] = token[i_b + t + 1],   i_b in [0, size())
class TextWindows {
 public:
  /// Throws ValueError unless steps >= 1 and the text has at least steps + 1 characters.
  TextWindows(const Text& corpus, int64_t steps);

  /// Number of windows, the characters of the text less `steps`.
  int64_t size() const { return tokens_.numel() - steps_; }
  /// Throws IndexError outside [0, size()).
  Batch get(std::span<const int64_t> indices) const;

 private:
  Tensor tokens_;
  int64_t steps_;
};

/// Throws ValueError for sizes below 1, a text too short for one batch, or `first` outside [0, batches()].
inline TextBatches text_batches(const Text& corpus, TextBatchesOptions options = {}) { return {corpus, options}; }

}  // namespace tapegrad::data
