// A line is split into fields, a field parsed as a number, and both may fail only with the place named. The
// parser makes no use of the locale: std::from_chars reads a decimal point and nothing else.
#include <tapegrad/data/csv.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "core/fail.h"
#include "data/file.h"
#include "tensor/impl.h"

namespace tapegrad::data {

namespace {

constexpr size_t longest_line = size_t(16) << 20;

struct Place {
  const std::string& path;
  int64_t line;
};

template <class... Args>
[[noreturn]] void fail_at(const Place& place, int64_t column, fmt::format_string<Args...> text,
                          Args&&... args) {
  fail<FormatError>(fmt::format("{}:{}:{}", place.path, place.line, column), "{}",
                    fmt::format(text, std::forward<Args>(args)...));
}

// What a message shows of a field: its first 32 bytes, with what does not print replaced.
std::string shown(std::string_view field) {
  std::string text(field.substr(0, 32));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return field.size() > 32 ? text + "..." : text;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes the first field from `line`; false if its quote is never closed. A quote within quotes is doubled,
// which no number needs, so the text is handed on as it stands.
bool take_field(std::string_view& line, char separator, std::string_view& field, bool& more) {
  const size_t start = line.find_first_not_of(" \t");
  size_t search = 0;
  if (start != std::string_view::npos && line[start] == '"') {
    size_t close = line.find('"', start + 1);
    while (close != std::string_view::npos && close + 1 < line.size() && line[close + 1] == '"')
      close = line.find('"', close + 2);
    if (close == std::string_view::npos) return false;
    search = close + 1;
  }
  const size_t at = line.find(separator, search);
  more = at != std::string_view::npos;
  field = trimmed(line.substr(0, at));
  line = more ? line.substr(at + 1) : std::string_view{};
  if (search > 0 && field.size() >= 2 && field.back() == '"')
    field = trimmed(field.substr(1, field.size() - 2));
  return true;
}

enum class Parsed { number, not_a_number, too_large };

// Too small a number is zero, as in every language; from_chars calls both ends out of range.
template <class T>
Parsed parse(std::string_view field, T& value) {
  if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc::invalid_argument || end != field.data() + field.size()) return Parsed::not_a_number;
  if (error == std::errc::result_out_of_range) {
    if constexpr (std::is_floating_point_v<T>) {
      if (field.find("e-") == std::string_view::npos && field.find("E-") == std::string_view::npos)
        return Parsed::too_large;
      value = 0;
      return Parsed::number;
    }
    return Parsed::too_large;
  }
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) return Parsed::not_a_number;
  return Parsed::number;
}

template <class T>
T number(const Place& place, int64_t column, std::string_view field) {
  T value{};
  if (field.empty()) fail_at(place, column, "the field is empty");
  const Parsed parsed = parse(field, value);
  if (parsed == Parsed::too_large)
    fail_at(place, column, "too large for {}: '{}'", dtype_of<T>, shown(field));
  if (parsed == Parsed::number) return value;
  if constexpr (std::is_same_v<T, int64_t>) {  // a label may be written 3.0
    double real = 0;
    if (parse(field, real) != Parsed::number) fail_at(place, column, "not a number: '{}'", shown(field));
    if (real != std::floor(real) || std::abs(real) > 0x1p53)
      fail_at(place, column, "a label must be a whole number, got '{}'. Hint: {{.target_dtype = float32}}",
              shown(field));
    return int64_t(real);
  } else {
    fail_at(place, column, "not a number: '{}'", shown(field));
  }
}

struct Table {
  std::vector<float> x;
  std::vector<int64_t> labels;
  std::vector<float> singles;
  std::vector<double> doubles;
  int64_t rows = 0;
};

void add_field(Table& table, const Place& place, int64_t column, std::string_view field, bool is_target,
               Dtype target) {
  if (!is_target)
    table.x.push_back(number<float>(place, column, field));
  else if (target == int64)
    table.labels.push_back(number<int64_t>(place, column, field));
  else if (target == float32)
    table.singles.push_back(number<float>(place, column, field));
  else
    table.doubles.push_back(number<double>(place, column, field));
}

void split_line(const Place& place, std::string_view line, char separator,
                std::vector<std::string_view>& fields) {
  fields.clear();
  for (bool more = true; more;) {
    std::string_view field;
    if (!take_field(line, separator, field, more))
      fail_at(place, int64_t(fields.size()) + 1, "the quote is not closed in this line");
    fields.push_back(field);
  }
}

bool is_header(const std::vector<std::string_view>& fields) {
  for (std::string_view field : fields)
    if (double value; parse(field, value) != Parsed::not_a_number) return false;
  return true;
}

void check_options(const CsvOptions& options) {
  const std::string_view taken = "\"\r\n+-.0123456789eE";
  if (taken.find(options.separator) != std::string_view::npos)
    fail<ValueError>("csv", "separator must not be a quote, a line end or part of a number, got '{}'",
                     shown(std::string_view(&options.separator, 1)));
  if (options.target_dtype == boolean)
    fail<DtypeError>("csv", "target_dtype must be int64, float32 or float64, got {}", options.target_dtype);
}

}  // namespace

TensorDataset csv(const std::string& path, const CsvOptions& options) {
  check_options(options);
  const std::string bytes = read_file("csv", path);
  std::string_view rest = bytes;
  if (rest.starts_with("\xff\xfe") || rest.starts_with("\xfe\xff"))
    fail<FormatError>("csv", "{}: is UTF-16. Hint: save it as UTF-8", path);
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);

  Table table;
  std::vector<std::string_view> fields;
  int64_t columns = 0, first_line = 0, target = 0;
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
      target = options.target_column < 0 ? options.target_column + columns : options.target_column;
      if (target < 0 || target >= columns)
        fail_at(place, 1, "there is no target_column {} in {} columns", options.target_column, columns);
      if (options.header.value_or(is_header(fields))) continue;
    }
    if (count != columns)
      fail_at(place, std::min(count, columns) + 1, "the line has {} fields, line {} has {}", count,
              first_line, columns);
    for (int64_t i = 0; i < count; ++i)
      add_field(table, place, i + 1, fields[size_t(i)], i == target, options.target_dtype);
    ++table.rows;
  }
  if (table.rows == 0) fail<FormatError>("csv", "{}: has no data", path);
  const Tensor x = from_vector(table.x, {table.rows, columns - 1});
  if (options.target_dtype == int64) return {x, from_vector(table.labels, {table.rows})};
  if (options.target_dtype == float32) return {x, from_vector(table.singles, {table.rows})};
  return {x, from_vector(table.doubles, {table.rows})};
}

}  // namespace tapegrad::data
