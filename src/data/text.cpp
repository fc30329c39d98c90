#include <tapegrad/data/text.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/fail.h"
#include "io/file.h"
#include "tensor/impl.h"

namespace tapegrad::data {

namespace {

// Bytes of the character that `text` begins with: 1 unless it is a whole sequence of UTF-8.
size_t character_size(std::string_view text) {
  const unsigned char lead = static_cast<unsigned char>(text[0]);
  const size_t size = lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  if (lead >= 0xf8 || size > text.size()) return 1;
  for (size_t i = 1; i < size; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 1;
  return size;
}

template <class F>
void for_each_character(std::string_view text, F f) {
  for (size_t size; !text.empty(); text.remove_prefix(size)) {
    size = character_size(text);
    f(text.substr(0, size));
  }
}

}  // namespace

Text::Text(std::string_view text) {
  std::set<std::string_view> different;
  for_each_character(text, [&](std::string_view character) { different.insert(character); });
  characters_.assign(different.begin(), different.end());
  tokens_ = encode(text);
}

Text Text::read(const std::string& path) { return Text(read_file("text", path)); }

Tensor Text::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  tokens.reserve(text.size());
  for_each_character(text, [&](std::string_view character) {
    const auto found = std::lower_bound(characters_.begin(), characters_.end(), character);
    if (found == characters_.end() || *found != character)
      fail<ValueError>("encode", "character '{}' does not occur in the text", character);
    tokens.push_back(found - characters_.begin());
  });
  return from_vector(tokens, {int64_t(tokens.size())});
}

std::string Text::decode(const Tensor& tokens) const {
  std::string text;
  for (int64_t token : tokens.to_vector<int64_t>()) text += character(token);
  return text;
}

const std::string& Text::character(int64_t token) const {
  if (token < 0 || token >= vocabulary_size())
    fail<IndexError>("decode", "token {} is outside [0, {})", token, vocabulary_size());
  return characters_[size_t(token)];
}

TextSplit Text::split(double fraction) const {
  if (!(fraction >= 0 && fraction <= 1)) fail<ValueError>("split", "fraction must be in [0, 1], got {}", fraction);
  const int64_t first = std::llround(fraction * double(size()));
  TextSplit parts{*this, *this};
  parts.train.tokens_ = tapegrad::detail::new_view(tokens_, {first}, {1}, 0);
  parts.test.tokens_ = tapegrad::detail::new_view(tokens_, {size() - first}, {1}, first);
  return parts;
}

TextBatches::TextBatches(const Text& corpus, TextBatchesOptions options) : tokens_(corpus.tokens()), options_(options) {
  if (options.batch_size < 1 || options.steps < 1)
    fail<ValueError>("text_batches", "batch_size and steps must be at least 1, got {} and {}", options.batch_size,
                     options.steps);
  length_ = std::max<int64_t>(corpus.size() - 1, 0) / options.batch_size;
  if (length_ < options.steps)
    fail<ValueError>("text_batches",
                     "one batch needs batch_size * steps + 1 characters, got {} for batch_size {} and steps {}",
                     corpus.size(), options.batch_size, options.steps);
  if (options.first < 0 || options.first > batches())
    fail<ValueError>("text_batches", "first must be in [0, {}], got {}", batches(), options.first);
}

Batch TextBatches::operator[](int64_t batch) const {
  if (batch < 0 || batch >= batches())
    fail<IndexError>("text_batches", "batch {} is outside [0, {})", batch, batches());
  const auto tokens_from = [this](int64_t first) {
    const Shape shape = {options_.steps, options_.batch_size};
    return tapegrad::detail::contiguous_copy(tapegrad::detail::new_view(tokens_, shape, {1, length_}, first));
  };
  return {tokens_from(batch * options_.steps), tokens_from(batch * options_.steps + 1)};
}

TextWindows::TextWindows(const Text& corpus, int64_t steps) : tokens_(corpus.tokens()), steps_(steps) {
  if (steps < 1) fail<ValueError>("TextWindows", "steps must be at least 1, got {}", steps);
  if (size() < 1)
    fail<ValueError>("TextWindows", "a window needs steps + 1 characters, got {} for steps {}", corpus.size(), steps);
}

Batch TextWindows::get(std::span<const int64_t> indices) const {
  const Shape shape = {int64_t(indices.size()), steps_};
  Batch out = {empty(shape, {.dtype = int64}), empty(shape, {.dtype = int64})};
  auto x = out.x.mutable_data<int64_t>().begin(), y = out.y.mutable_data<int64_t>().begin();
  for (int64_t index : indices) {
    if (index < 0 || index >= size()) fail<IndexError>("TextWindows", "window {} is outside [0, {})", index, size());
    const auto window = tokens_.data<int64_t>().subspan(size_t(index), size_t(steps_ + 1));
    x = std::ranges::copy(window.first(size_t(steps_)), x).out;
    y = std::ranges::copy(window.last(size_t(steps_)), y).out;
  }
  return out;
}

}  // namespace tapegrad::data
