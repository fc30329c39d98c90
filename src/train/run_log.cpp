// A line goes to the end of the file in one write, so a process that is killed leaves whole lines, and a power failure or a
// full disk at most a last one that is cut. That one gets its end of line when the file is opened again, and readers leave
// it out. NaN and infinity are no numbers of JSON and are written as texts.
#include "train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>

#include "core/fail.h"

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

RunLog::~RunLog() { ::close(file_); }

void RunLog::append(int64_t step, double loss) {
  const char* quote = std::isfinite(loss) ? "" : "\"";
  const std::string line = fmt::format("{}{}{}{}{}{}}}\n", before_step, step, before_loss, quote, loss, quote);
  ssize_t put = -1;
  do put = ::write(file_, line.data(), line.size());
  while (put < 0 && errno == EINTR);
  if (put != ssize_t(line.size()))
    fail<FormatError>("Recorder", "{}: cannot be written: {}", path_,
                      put < 0 ? std::strerror(errno) : "the disk took a part of the line");
}

void RunLog::sync() const {
  if (::fsync(file_) != 0) fail<FormatError>("Recorder", "{}: cannot be written: {}", path_, std::strerror(errno));
}

std::map<int64_t, double> RunLog::read() const {
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
    if (take(rest, loss) && rest == "}") out[step] = loss;
  }
  return out;
}

}  // namespace tapegrad::train
