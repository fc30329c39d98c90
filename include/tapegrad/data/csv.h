#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tapegrad/data/dataset.h>

namespace tapegrad::data {

struct CsvOptions {
  int64_t target_column = -1;                ///< which one is y; negative ones count from the last
  std::vector<int64_t> target_columns = {};  ///< several, in place of target_column: y is [N, so many]
  Dtype target_dtype = int64;                ///< int64 for labels, float32 or float64 for values
  char separator = ',';                      ///< not a quote, a line end or part of a number
  std::optional<bool> header = {};           ///< whether line 1 is names; unset: if none of its fields is a number
  std::vector<std::string> missing = {};     ///< what stands for "no value" in x, which is NaN then: {"", "?", "NA"}
};

/// Reads a table of numbers: a line is a sample, one column is its target, the others are x.
///
///     TensorDataset digits = data::csv("digits.csv");     // x [1797, 64] float32, y [1797] int64
///
/// Numbers are written as in C, "-1.5e3", with a decimal point whatever the locale; fields may be quoted.
/// Lines end in LF or CRLF; blank ones are left out, and so is the byte order mark of UTF-8.
///
///     TensorDataset cars = data::csv("cars.csv", {.missing = {"", "?"}});
///     Tensor x = where(isnan(cars.x()), 0.0, cars.x());   // or the mean of what is there
///
/// **Throws** FormatError naming file, line and column, both counted from 1, where a field is empty or not a
/// finite number, and not named in `missing` ("digits.csv:12:3: not a number: 'abc'"), a label is not whole, a line has more or fewer
/// fields than the first, or is longer than 16 MiB; also for a file that cannot be read, has no data, or is
/// compressed.
/// **Numerics** x is rounded once, from the decimal digits to float32.
TensorDataset csv(const std::string& path, const CsvOptions& options = {});

struct LabelledDataset {
  TensorDataset data;              ///< y is [N] int64, numbers of names
  std::vector<std::string> names;  ///< of the classes, in the order of their bytes
};

/// Reads a table as csv() does, whose target column is text: y counts the different texts of this file from
/// 0. A file that lacks a name counts otherwise, so split() one file rather than read two.
///
///     auto [iris, names] = data::labelled_csv("iris.csv");      // names[iris.y()[0].item()] is "setosa"
///
/// **Throws** as csv(), and ValueError where the options name several target columns or a target_dtype.
LabelledDataset labelled_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace tapegrad::data
