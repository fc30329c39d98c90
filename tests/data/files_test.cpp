#include <tapegrad/data.h>
#include <tapegrad/error.h>
#include <tapegrad/ops.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <string>

namespace tapegrad::data {
namespace {

using testing::HasSubstr;

// A file of its own that goes away with the test.
class File {
 public:
  explicit File(const std::string& bytes = "")
      : path_(std::filesystem::temp_directory_path() /
              ("tapegrad_" + std::to_string(getpid()) + "_" + std::to_string(count_++))) {
    write(bytes);
  }
  ~File() { std::filesystem::remove(path_); }
  void write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
  std::string path() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

std::string csv_error(const std::string& bytes, const CsvOptions& options = {}) {
  File file(bytes);
  try {
    csv(file.path(), options);
  } catch (const FormatError& error) {
    std::string text = error.what();
    for (size_t at; (at = text.find(file.path())) != std::string::npos;) text.replace(at, file.path().size(), "t.csv");
    return text;
  }
  return "accepted";
}

TensorDataset parsed(const std::string& bytes, const CsvOptions& options = {}) {
  File file(bytes);
  return csv(file.path(), options);
}

TEST(Csv, ReadsTheDigits) {
  const auto digits = csv(TAPEGRAD_DATA_DIR "/digits.csv");
  EXPECT_EQ(digits.x().shape(), Shape({1797, 64}));
  EXPECT_EQ(digits.x().dtype(), float32);
  EXPECT_EQ(digits.y().shape(), Shape({1797}));
  EXPECT_EQ(digits.y().dtype(), int64);
  EXPECT_EQ(digits.get({2}).y.item(), 2);
  EXPECT_EQ(digits.x().to_vector<float>()[2], 5);
  const auto labels = digits.y().to_vector<int64_t>();
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 0), 178);
}

TEST(Csv, ReadsNumbersAsTheyAreWrittenEverywhere) {
  const auto data = parsed(
      "\xef\xbb\xbf"
      "+1.5, -2e-3 ,\"3\",0\r\n\r\n  \n.25,1e-400,1E2,-1");
  EXPECT_EQ(data.x().to_vector<float>(), std::vector<float>({1.5f, -2e-3f, 3, .25f, 0, 100}));
  EXPECT_EQ(data.y().to_vector<int64_t>(), std::vector<int64_t>({0, -1}));
}

TEST(Csv, DoesNotHeedTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, locale);
  EXPECT_EQ(parsed("1.5,2\n").x().item(), 1.5);
  std::setlocale(LC_ALL, before.c_str());
}

TEST(Csv, FindsTheHeaderAndTheTarget) {
  EXPECT_EQ(parsed("a,\"b,c\",label\n1,2,3\n").x().to_vector<float>(), std::vector<float>({1, 2}));
  EXPECT_EQ(parsed("7,2,3\n1,2,3\n", {.header = true}).size(), 1);
  EXPECT_EQ(parsed("7;2;3\n", {.target_column = 0, .separator = ';'}).y().item(), 7);
  EXPECT_EQ(parsed("7\t2\t3.0\n", {.separator = '\t'}).y().item(), 3);
  const auto values = parsed("1,2.5\n", {.target_dtype = float64});
  EXPECT_EQ(values.y().dtype(), float64);
  EXPECT_EQ(values.y().item(), 2.5);
  EXPECT_EQ(csv_error("a,b\n1,2\n", {.header = false}), "t.csv:1:1: not a number: 'a'");
}

TEST(Csv, NamesFileLineAndColumn) {
  EXPECT_EQ(csv_error("1,2,3\n\n4,5,6\n7,8,abc\n"),
            "t.csv:4:3: not a number: 'abc'. Hint: labelled_csv() reads labels that are text");
  EXPECT_EQ(csv_error("1,2x,3\n"), "t.csv:1:2: not a number: '2x'");
  EXPECT_EQ(csv_error("1,2,3\n1,,3\n"), "t.csv:2:2: the field is empty. Hint: {.missing = {\"\"}} reads it as NaN");
  EXPECT_EQ(csv_error("1,2,3\n1,2\n"), "t.csv:2:3: the line has 2 fields, line 1 has 3");
  EXPECT_EQ(csv_error("1,2,3\n1,2,3,4\n"), "t.csv:2:4: the line has 4 fields, line 1 has 3");
  EXPECT_EQ(csv_error("1,nan,3\n"), "t.csv:1:2: not a number: 'nan'");
  EXPECT_EQ(csv_error("1,+-2,3\n"), "t.csv:1:2: not a number: '+-2'");
  EXPECT_EQ(csv_error("1,inf,3\n"), "t.csv:1:2: not a number: 'inf'");
  EXPECT_EQ(csv_error("1,1e40,3\n"), "t.csv:1:2: too large for float32: '1e40'");
  EXPECT_EQ(csv_error("1,2,99999999999999999999\n"), "t.csv:1:3: too large for int64: '99999999999999999999'");
  EXPECT_EQ(csv_error("1,2,1.5\n"),
            "t.csv:1:3: a label must be a whole number, got '1.5'. Hint: {.target_dtype = float32}");
  EXPECT_EQ(csv_error("a;b;c\n3;4;1\n"), "t.csv:2:1: not a number: '3;4;1'. Hint: {.separator = ';'}");
  EXPECT_EQ(csv_error("1\t2\n3\t4\n"), "t.csv:2:1: not a number: '3?4'. Hint: {.separator = '\\t'}");
  EXPECT_EQ(csv_error("3;4;1\n", {.target_column = 2}),
            "t.csv:1:1: there is no target_column 2 in 1 columns. Hint: {.separator = ';'}");
  EXPECT_EQ(csv_error("1,\"2,3\n"), "t.csv:1:2: the quote is not closed in this line");
  EXPECT_EQ(csv_error("1,2\n", {.target_column = 2}), "t.csv:1:1: there is no target_column 2 in 2 columns");
  EXPECT_EQ(csv_error("1,2\n" + std::string(17 << 20, '1')),
            "t.csv:2:1: the line has 17825792 bytes, at most 16777216 are allowed");
  EXPECT_EQ(csv_error(std::string("1,\0x,2\n", 7)), "t.csv:1:2: not a number: '?x'");
}

TEST(Csv, ReadsSeveralTargets) {
  const auto data = parsed("a,b,c,d\n1,2,3,4\n5,6,7,8\n", {.target_columns = {-1, 0}, .target_dtype = float32});
  EXPECT_EQ(data.x().to_vector<float>(), std::vector<float>({2, 3, 6, 7}));
  EXPECT_EQ(data.y().shape(), Shape({2, 2}));
  EXPECT_EQ(data.y().to_vector<float>(), std::vector<float>({4, 1, 8, 5}));
  EXPECT_EQ(parsed("1,2\n", {.target_columns = {1}}).y().shape(), Shape({1, 1}));
  EXPECT_EQ(csv_error("1,2\n", {.target_columns = {0, -3}}), "t.csv:1:1: there is no target_column -3 in 2 columns");
}

TEST(Csv, ReadsMissingValuesAsNaNWhereTheyAreNamed) {
  const CsvOptions options = {.missing = {"", "NA"}};
  const auto data = parsed("a,b,y\n1,,3\nNA, \"\" ,5\n,2,7\n", options);
  EXPECT_EQ(tapegrad::isnan(data.x()).to_vector<bool>(), std::vector<bool>({false, true, true, true, true, false}));
  EXPECT_EQ(where(tapegrad::isnan(data.x()), 0.0, data.x()).to_vector<float>(), std::vector<float>({1, 0, 0, 0, 0, 2}));
  EXPECT_EQ(data.y().to_vector<int64_t>(), std::vector<int64_t>({3, 5, 7}));
  EXPECT_EQ(csv_error("1,?,3\n", options), "t.csv:1:2: not a number: '?'");
  EXPECT_EQ(csv_error("1,2,\n", options), "t.csv:1:3: the field is empty");  // a target is never missing
  EXPECT_EQ(csv_error("1,2,NA\n", {.target_dtype = float32, .missing = {"NA"}}), "t.csv:1:3: not a number: 'NA'");
}

TEST(Csv, CountsLabelsThatAreText) {
  File file("width,kind\n1.5,setosa\n2,\"virginica\"\n3,setosa\n4, versicolor\n");
  const auto [data, names] = labelled_csv(file.path());
  EXPECT_EQ(names, (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(data.y().to_vector<int64_t>(), std::vector<int64_t>({0, 2, 0, 1}));
  EXPECT_EQ(data.x().to_vector<float>(), std::vector<float>({1.5, 2, 3, 4}));
  EXPECT_THAT(
      [&] {
        labelled_csv(file.path(), {.target_columns = {0, 1}});
      },
      testing::ThrowsMessage<ValueError>("labelled_csv: takes one target_column, whose labels are counted in int64"));
  file.write("1,\"say \"\"a, b\"\"\"\n");
  EXPECT_EQ(labelled_csv(file.path()).names, std::vector<std::string>{"say \"a, b\""});
  file.write("1,\n");
  EXPECT_THAT([&] { labelled_csv(file.path()); }, testing::ThrowsMessage<FormatError>(HasSubstr("the field is empty")));
}

TEST(Csv, SaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(csv_error(""), "csv: t.csv: has no data");
  EXPECT_EQ(csv_error("a,b\n"), "csv: t.csv: has no data");
  EXPECT_EQ(csv_error("\xff\xfe"
                      "1"),
            "csv: t.csv: is UTF-16. Hint: save it as UTF-8");
  EXPECT_EQ(csv_error("\x1f\x8b\x08"),
            "csv: t.csv: is compressed with gzip. Hint: decompress it first, gunzip 't.csv'");
  EXPECT_THAT([] { csv("no/such.csv"); },
              testing::ThrowsMessage<FormatError>("csv: no/such.csv: cannot be opened: No such file or directory"));
  EXPECT_THAT([] { csv("/"); }, testing::ThrowsMessage<FormatError>("csv: /: is not a regular file"));
  EXPECT_THROW(parsed("1,2\n", {.separator = '.'}), ValueError);
  EXPECT_THROW(parsed("1,2\n", {.target_dtype = boolean}), DtypeError);
}

TEST(Csv, NeverCrashesOnADamagedFile) {
  const std::string good = "a,\"b\",c\r\n1,-2.5e3,0\r\n\"4\",5,1\n";
  File file;
  const auto attempt = [&](const std::string& bytes) {
    file.write(bytes);
    try {
      const auto data = csv(file.path());
      EXPECT_EQ(data.x().size(0), data.y().size(0));
    } catch (const FormatError&) {
    }
  };
  for (size_t length = 0; length < good.size(); ++length) attempt(good.substr(0, length));
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = char(bad[bit / 8] ^ (1 << bit % 8));
    attempt(bad);
  }
}

// Two images of 2 x 3 pixels.
const std::string images(
    "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3"
    "\x00\x01\x02\x03\x04\xff\x06\x07\x08\x09\x0a\x0b",
    28);
const std::string labels("\0\0\x08\x01\0\0\0\2\x05\x09", 10);

std::string idx_error(const std::string& bytes) {
  File file(bytes);
  try {
    read_idx(file.path());
  } catch (const FormatError& error) {
    std::string text = error.what();
    for (size_t at; (at = text.find(file.path())) != std::string::npos;) text.replace(at, file.path().size(), "t");
    return text;
  }
  return "accepted";
}

TEST(Idx, ReadsImagesAndLabels) {
  File x(images), y(labels);
  const auto data = idx(x.path(), y.path());
  EXPECT_EQ(data.x().shape(), Shape({2, 2, 3}));
  EXPECT_EQ(data.x().to_vector<float>()[5], 1.0f);
  EXPECT_FLOAT_EQ(data.x().to_vector<float>()[6], 6.0f / 255);
  EXPECT_EQ(data.y().to_vector<int64_t>(), std::vector<int64_t>({5, 9}));
  EXPECT_EQ(read_idx(x.path()).to_vector<int64_t>()[5], 255);
  EXPECT_EQ(read_idx(x.path(), float64).dtype(), float64);
}

TEST(Idx, ReadsEveryElementType) {
  File file;
  const auto one = [&](const char* type, const std::string& element) {
    file.write(std::string("\0\0", 2) + type + std::string("\x01\0\0\0\x01", 5) + element);
    return read_idx(file.path());
  };
  EXPECT_EQ(one("\x09", "\xff").item(), -1);
  EXPECT_EQ(one("\x0b", "\xff\xfe").item(), -2);
  EXPECT_EQ(one("\x0c", std::string("\0\1\0\0", 4)).item(), 65536);
  EXPECT_EQ(one("\x0d", std::string("\x3f\xc0\0\0", 4)).item(), 1.5);
  EXPECT_EQ(one("\x0e", std::string("\x3f\xf8\0\0\0\0\0\0", 8)).dtype(), float64);
}

TEST(Idx, SaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(idx_error(""), "idx: t: is no IDX file: it must begin with two zero bytes, a type and a number of axes");
  EXPECT_EQ(idx_error("\x1f\x8b\x08"), "idx: t: is compressed with gzip. Hint: decompress it first, gunzip 't'");
  EXPECT_EQ(idx_error(images + "x"), "idx: t: sizes [2, 2, 3] do not fit the 13 bytes after the header");
  EXPECT_EQ(idx_error(std::string("\0\0\x07\x01", 4)), "idx: t: byte 3: element type 0x07 is unknown");
  EXPECT_EQ(idx_error(std::string("\0\0\x08\0", 4)), "idx: t: byte 4: the number of axes must be in [1, 8], got 0");
  EXPECT_EQ(idx_error(std::string("\0\0\x08\x01\0", 5)), "idx: t: the header has 8 bytes, the file 5");
  EXPECT_THAT(idx_error(std::string("\0\0\x0e\x03", 4) + std::string(12, '\xff')), HasSubstr("do not fit the 0 bytes"));
  File x(images), y(std::string("\0\0\x08\x01\0\0\0\1\x05", 9));
  EXPECT_THROW(idx(x.path(), y.path()), FormatError);
  EXPECT_THROW(idx(x.path(), x.path()), FormatError);
}

TEST(Idx, RejectsEveryTruncationAndEveryBitOfTheHeader) {
  for (size_t length = 0; length < images.size(); ++length)
    EXPECT_NE(idx_error(images.substr(0, length)), "accepted") << length;
  for (size_t bit = 0; bit < 8 * images.size(); ++bit) {
    std::string bad = images;
    bad[bit / 8] = char(bad[bit / 8] ^ (1 << bit % 8));
    const bool header = bit < 8 * 16, type_of_the_same_size = bit == 16;  // 0x08 and 0x09
    if (header && !type_of_the_same_size)
      EXPECT_NE(idx_error(bad), "accepted") << bit;
    else
      EXPECT_EQ(idx_error(bad), "accepted") << bit;
  }
}

}  // namespace
}  // namespace tapegrad::data
