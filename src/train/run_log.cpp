// Lines go to the end of the file in one write, so a process that is killed leaves whole lines, and a power failure or a
// full disk at most a last one that is cut. That one gets its end of line when the file is opened again, and readers leave
// it out. A write takes a few hundredths of the smallest steps, so the lines of a hundredth of a second are written together:
// those that a kill takes away, the run that goes on writes again. NaN and infinity are no numbers of JSON but texts.
#include "train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/fail.h"
#include "train/clock.h"

namespace tapegrad::train {

namespace {

constexpr std::string_view before_step = R"({"step": )", before_loss = R"(, "loss": )";

/// Takes a number off the front of the text.
template <class T>
bool take(std::string_view& text, T& value) {
  if (text.starts_with('"')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  text.remove_prefix(size_t(end - text.data()));
  if (text.starts_with('"')) text.remove_prefix(1);
  return error == std::errc();
}

}  // namespace

RunLog::RunLog(std::string path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) fail<FormatError>("Recorder", "{}: cannot be opened: {}", path_, std::strerror(errno));
  const off_t size = ::lseek(file_, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file_, &last, 1, size - 1) == 1 && last != '\n' && ::write(file_, "\n", 1) != 1)
    fail<FormatError>("Recorder", "{}: cannot be written: {}", path_, std::strerror(errno));
}

RunLog::~RunLog() {
  try {
    flush();
  } catch (const FormatError&) {
    // Nobody is there to be told; the next run writes these lines again.
  }
  ::close(file_);
}

void RunLog::append(int64_t step, double loss) {
  const char* quote = std::isfinite(loss) ? "" : "\"";
  fmt::format_to(std::back_inserter(waiting_), "{}{}{}{}{}{}}}\n", before_step, step, before_loss, quote, loss, quote);
  if (now() - written_at_ > 0.01) flush();
}

void RunLog::flush() {
  if (waiting_.empty()) return;
  ssize_t put = -1;
  do put = ::write(file_, waiting_.data(), waiting_.size());
  while (put < 0 && errno == EINTR);
  if (put != ssize_t(waiting_.size()))
    fail<FormatError>("Recorder", "{}: cannot be written: {}", path_,
                      put < 0 ? std::strerror(errno) : "the disk took a part of the lines");
  waiting_.clear();
  written_at_ = now();
}

void RunLog::sync() {
  flush();
  if (::fsync(file_) != 0) fail<FormatError>("Recorder", "{}: cannot be written: {}", path_, std::strerror(errno));
}

std::map<int64_t, double> RunLog::read() {
  flush();
  std::map<int64_t, double> out;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    std::string_view rest = line;
    int64_t step = -1;
    double loss = 0;
    if (!rest.starts_with(before_step)) continue;
    rest.remove_prefix(before_step.size());
    if (!take(rest, step) || !rest.starts_with(before_loss)) continue;
    rest.remove_prefix(before_loss.size());
    if (!take(rest, loss) || rest != "}") continue;
    out.erase(out.lower_bound(step), out.end());  // the run went back to here
    out[step] = loss;
  }
  return out;
}

}  // namespace tapegrad::train
