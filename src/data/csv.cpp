// A line is split into fields, a field parsed as a number, and both may fail only with the place named. The
// parser makes no use of the locale: std::from_chars reads a decimal point and nothing else.
#include <tapegrad/data/csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

#include "core/fail.h"
#include "io/file.h"
#include "tensor/impl.h"

namespace tapegrad::data {

namespace {

constexpr size_t longest_line = size_t(16) << 20, longest_shown = 32;

struct Place {
  const std::string& path;
  int64_t line;
};

template <class... Args>
[[noreturn]] void fail_at(const Place& place, int64_t column, fmt::format_string<Args...> text, Args&&... args) {
  fail<FormatError>(fmt::format("{}:{}:{}", place.path, place.line, column), "{}",
                    fmt::format(text, std::forward<Args>(args)...));
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The fields of a line, without the quotes around them. A quote within quotes is doubled, which no number
// needs: target_of() makes it one for labels that are text.
void split_line(const Place& place, std::string_view line, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  size_t begin = 0;
  bool quoted = false, open = false;
  for (size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"' && (quoted || trimmed(line.substr(begin, i - begin)).empty())) {
      quoted = true;
      open = !open;
    }
    if (i < line.size() && (open || line[i] != separator)) continue;
    if (open) fail_at(place, int64_t(fields.size()) + 1, "the quote is not closed in this line");
    std::string_view field = trimmed(line.substr(begin, i - begin));
    if (quoted && field.size() >= 2 && field.back() == '"') field = trimmed(field.substr(1, field.size() - 2));
    fields.push_back(field);
    begin = i + 1;
    quoted = false;
  }
}

// Too small a number is zero, as in every language; from_chars calls both ends out of range.
template <class T>
std::errc parse(std::string_view field, T& value) {
  if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (end != field.data() + field.size()) return std::errc::invalid_argument;
  if constexpr (std::is_floating_point_v<T>) {
    if (error == std::errc::result_out_of_range &&
        (field.find("e-") != std::string_view::npos || field.find("E-") != std::string_view::npos)) {
      value = 0;
      return {};
    }
    if (error == std::errc() && !std::isfinite(value)) return std::errc::invalid_argument;
  }
  return error;
}

// A cure for a field that is no number: another separator, if it holds one.
std::string separator_hint(std::string_view field, bool label = false) {
  const size_t at = field.find_first_of(";\t|");
  if (at == std::string_view::npos) return label ? ". Hint: labelled_csv() reads labels that are text" : "";
  return fmt::format(". Hint: {{.separator = '{}'}}", field[at] == '\t' ? "\\t" : field.substr(at, 1));
}

template <class T>
T number(const Place& place, int64_t column, std::string_view field) {
  if (field.empty()) fail_at(place, column, "the field is empty");
  T value{};
  const std::errc error = parse(field, value);
  if (error == std::errc()) return value;
  if (error == std::errc::result_out_of_range)
    fail_at(place, column, "too large for {}: '{}'", dtype_of<T>, shown(field, longest_shown));
  double real = 0;
  if (std::is_floating_point_v<T> || parse(field, real) != std::errc())
    fail_at(place, column, "not a number: '{}'{}", shown(field, longest_shown),
            separator_hint(field, std::is_integral_v<T>));
  if (real != std::floor(real) || std::abs(real) > 0x1p53)  // a label may be written 3.0
    fail_at(place, column, "a label must be a whole number, got '{}'. Hint: {{.target_dtype = float32}}",
            shown(field, longest_shown));
  return T(real);
}

// The target in a column: a number, or for labelled_csv() a text.
template <class T>
T target_of(const Place& place, int64_t column, std::string_view field) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (field.empty()) fail_at(place, column, "the field is empty");
    T text(field);
    for (size_t at = 0; (at = text.find("\"\"", at)) != T::npos; ++at) text.erase(at, 1);
    return text;
  } else {
    return number<T>(place, column, field);
  }
}

bool is_header(const std::vector<std::string_view>& fields) {
  double value;
  return std::ranges::all_of(
      fields, [&](std::string_view field) { return parse(field, value) == std::errc::invalid_argument; });
}

// x, and the targets row by row.
template <class Target>
std::pair<Tensor, std::vector<Target>> read(const std::string& path, const CsvOptions& options) {
  const std::string_view taken = "\"\r\n+-.0123456789eE";
  if (taken.find(options.separator) != std::string_view::npos)
    fail<ValueError>("csv", "separator must not be a quote, a line end or part of a number, got '{}'",
                     shown(std::string_view(&options.separator, 1), longest_shown));
  const std::string bytes = read_file("csv", path);
  std::string_view rest = bytes;
  if (rest.starts_with("\xff\xfe") || rest.starts_with("\xfe\xff"))
    fail<FormatError>("csv", "{}: is UTF-16. Hint: save it as UTF-8", path);
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);

  std::vector<float> x;
  std::vector<Target> y;
  std::vector<int64_t> targets = options.target_columns;
  if (targets.empty()) targets = {options.target_column};
  std::vector<std::string_view> fields;
  const auto value = [&](const Place& place, int64_t column, std::string_view field) {
    if (std::ranges::find(options.missing, field) != options.missing.end())
      return std::numeric_limits<float>::quiet_NaN();
    if (field.empty()) fail_at(place, column, "the field is empty. Hint: {{.missing = {{\"\"}}}} reads it as NaN");
    return number<float>(place, column, field);
  };
  int64_t columns = 0, first_line = 0, rows = 0;
  for (Place place{path, 1}; !rest.empty(); ++place.line) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (line.size() > longest_line)
      fail_at(place, 1, "the line has {} bytes, at most {} are allowed", line.size(), longest_line);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) continue;
    split_line(place, line, options.separator, fields);
    const int64_t count = int64_t(fields.size());
    if (first_line == 0) {
      columns = count;
      first_line = place.line;
      for (int64_t& target : targets) {
        if (target < -columns || target >= columns)
          fail_at(place, 1, "there is no target_column {} in {} columns{}", target, columns,
                  columns == 1 ? separator_hint(line) : "");
        if (target < 0) target += columns;
      }
      if (options.header.value_or(is_header(fields))) continue;
    }
    if (count != columns)
      fail_at(place, std::min(count, columns) + 1, "the line has {} fields, line {} has {}", count, first_line,
              columns);
    for (int64_t i = 0; i < count; ++i)
      if (std::ranges::find(targets, i) == targets.end()) x.push_back(value(place, i + 1, fields[size_t(i)]));
    for (int64_t i : targets) y.push_back(target_of<Target>(place, i + 1, fields[size_t(i)]));
    ++rows;
  }
  if (rows == 0) fail<FormatError>("csv", "{}: has no data", path);
  return {from_vector(x, {rows, int64_t(x.size()) / rows}), std::move(y)};
}

template <class Target>
TensorDataset dataset(const std::string& path, const CsvOptions& options) {
  const auto [x, y] = read<Target>(path, options);
  Shape shape = {x.size(0)};
  if (!options.target_columns.empty()) shape.push_back(int64_t(options.target_columns.size()));
  return {x, from_vector(y, shape)};
}

}  // namespace

TensorDataset csv(const std::string& path, const CsvOptions& options) {
  switch (options.target_dtype) {
    case int64: return dataset<int64_t>(path, options);
    case float32: return dataset<float>(path, options);
    case float64: return dataset<double>(path, options);
    case boolean: break;
  }
  fail<DtypeError>("csv", "target_dtype must be int64, float32 or float64, got {}", options.target_dtype);
}

LabelledDataset labelled_csv(const std::string& path, const CsvOptions& options) {
  if (!options.target_columns.empty() || options.target_dtype != int64)
    fail<ValueError>("labelled_csv", "takes one target_column, whose labels are counted in int64");
  const auto [x, labels] = read<std::string>(path, options);
  const std::set<std::string> different(labels.begin(), labels.end());
  const std::vector<std::string> names(different.begin(), different.end());
  std::vector<int64_t> y;
  for (const std::string& label : labels) y.push_back(std::ranges::lower_bound(names, label) - names.begin());
  return {{x, from_vector(y, {int64_t(y.size())})}, names};
}

}  // namespace tapegrad::data
