#include <tapegrad/datasets/stream.h>

#include <algorithm>
#include <memory>

#include "core/fail.h"
#include "datasets/random.h"
#include "io/file.h"
#include "tensor/state_reader.h"

namespace tapegrad::datasets {

namespace {

constexpr size_t kLongestLine = size_t(16) << 20, kPiece = size_t(1) << 16;

// The lines of a file, of which a piece is in memory.
struct LineReader {
  std::shared_ptr<InputFile> file;
  std::string piece = {};
  size_t at = 0;

  std::optional<std::string> operator()() {
    size_t end;
    while ((end = piece.find('\n', at)) == std::string::npos && file->remaining() > 0) {
      piece.erase(0, std::exchange(at, 0));
      const size_t before = piece.size();
      if (before > kLongestLine)
        fail<FormatError>("lines", "{}: a line has more than {} bytes", file->path(), kLongestLine);
      piece.resize(before + size_t(std::min<uint64_t>(file->remaining(), kPiece)));
      file->read(piece.data() + before, piece.size() - before);
    }
    if (at == piece.size()) return std::nullopt;
    end = std::min(end, piece.size());
    std::string line = piece.substr(at, end - at);
    at = std::min(end + 1, piece.size());
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
};

}  // namespace

std::function<std::function<std::optional<std::string>()>(int64_t)> lines(const std::string& path) {
  InputFile("lines", path);  // what is wrong with it is said now, not in the first loop
  return [path](int64_t) { return LineReader{std::make_shared<InputFile>("lines", path)}; };
}

StreamState::StreamState(StreamOptions options) : options_(options) {
  if (options.batch_size < 1 || options.shuffle < 0)
    fail<ValueError>("Stream", "batch_size must be at least 1 and shuffle not negative, got {} and {}",
                     options.batch_size, options.shuffle);
}

void StreamState::seek(int64_t epoch, int64_t position) {
  if (epoch < 0 || position < 0)
    fail<IndexError>("Stream", "seek takes an epoch >= 0 and a position >= 0, got {} and {}", epoch, position);
  epoch_ = epoch;
  position_ = position;
  running_ = false;
}

StateDict StreamState::state_dict() const {
  return {
      {"seed", integers({int64_t(options_.seed)})}, {"epoch", integers({epoch_})}, {"position", integers({position_})}};
}

void StreamState::load_state_dict(const StateDict& state) {
  StateReader reader("Stream", state);
  const Tensor seed = reader.take("seed", {1}, int64);
  const int64_t epoch = reader.counts("epoch")[0], position = reader.counts("position")[0];
  reader.finish();
  options_.seed = uint64_t(seed.to_vector<int64_t>()[0]);
  seek(epoch, position);
}

int64_t StreamState::start() {
  if (running_) {  // the loop before was left by break
    ++epoch_;
    position_ = 0;
  }
  running_ = true;
  random_ = generator_of(Use::buffer, options_.seed, epoch_);
  return position_;
}

void StreamState::finish() {
  if (!running_) return;
  ++epoch_;
  position_ = 0;
  running_ = false;
}

}  // namespace tapegrad::datasets
