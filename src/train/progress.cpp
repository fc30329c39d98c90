// A line that is written over again and again: "\r" takes the cursor to its beginning and "\x1b[K" erases to
// its end. Only terminals understand these, so nothing is written elsewhere.
#include <tapegrad/train/progress.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/fail.h"

namespace tapegrad::train {

namespace {

constexpr int widest_bar = 30, narrowest_bar = 6;

bool is_terminal(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  return !(term && !std::strcmp(term, "dumb")) && isatty(fileno(stream));
}

int columns_of(std::FILE* stream) {
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int n = columns ? std::atoi(columns) : 0;
  return n > 0 ? n : 80;
}

// 75 -> "1:15", 3675 -> "1:01:15"
std::string clock(double seconds) {
  const int64_t s = std::llround(std::min(seconds, 3.6e6));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Progress::Progress(int64_t total, ProgressOptions options)
    : total_(total), options_(std::move(options)), terminal_(is_terminal(options_.stream)) {
  if (total < 0) fail<ValueError>("Progress", "total must be >= 0, got {}", total);
  start_ = std::chrono::steady_clock::now();
  last_ = start_ - std::chrono::hours(1);
}

Progress::~Progress() { finish(); }

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::step(std::initializer_list<Field> fields) { set(done_ + 1, fields); }

void Progress::set(int64_t done, std::initializer_list<Field> fields) {
  done_ = done;
  if (fields.size()) fields_.assign(fields);
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (std::chrono::duration<double>(now - last_).count() < options_.seconds_between) return;
  last_ = now;
  draw();
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (!terminal_) return;
  draw();
  std::fputc('\n', options_.stream);
  std::fflush(options_.stream);
}

void Progress::clear() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\x1b[K", options_.stream);
  std::fflush(options_.stream);
}

std::string Progress::line(int columns) const {
  const double share = total_ > 0 ? std::clamp(double(done_) / double(total_), 0.0, 1.0) : 1.0;
  std::string text = fmt::format(" {:3.0f} %", 100 * share);
  for (const Field& field : fields_) text += fmt::format("  {} {:.4g}", field.name, field.value);
  const double taken = seconds();
  if (finished_)
    text += fmt::format("  {} taken", clock(taken));
  else if (done_ > 0 && share > 0)
    text += fmt::format("  {} left", clock(taken * (1 - share) / share));

  // The last column stays free: a full one makes some terminals begin a new line.
  const int space = columns - 1 - int(options_.label.size() + text.size()) - 3;
  const int width = std::min(widest_bar, space);
  std::string bar;
  if (width >= narrowest_bar) {
    const int filled = int(share * width);
    bar = fmt::format("{}[{}{}]", options_.label.empty() ? "" : " ", std::string(size_t(filled), '#'),
                      std::string(size_t(width - filled), '.'));
  }
  std::string line = options_.label + bar + text;
  if (int(line.size()) > columns - 1) line.resize(size_t(std::max(columns - 1, 0)));
  return line;
}

void Progress::draw() {
  drawn_ = true;
  fmt::print(options_.stream, "\r\x1b[K{}", line(columns_of(options_.stream)));
  std::fflush(options_.stream);
}

}  // namespace tapegrad::train
