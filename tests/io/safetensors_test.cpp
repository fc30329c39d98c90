#include <tapegrad/io.h>
#include <tapegrad/ops.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tapegrad {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
namespace fs = std::filesystem;

class Safetensors : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / fmt::format("tapegrad_{}_{}", info->name(), ::getpid());
    fs::create_directories(folder_);
    path_ = (folder_ / "file.safetensors").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  void write_header(const std::string& json, size_t data_bytes = 0) const {
    const uint64_t length = json.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    write(bytes + json + std::string(data_bytes, '\0'));
  }
  std::string read() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t count_files() const { return size_t(std::distance(fs::directory_iterator(folder_), {})); }

  fs::path folder_;
  std::string path_;
};

std::map<std::string, Tensor> example() {
  return {{"encoder.norm1.weight", linspace(-1, 1, 20)},
          {"weight", tensor({{1, -2, 3}, {4, 5, NAN}})},
          {"fc1.bias", tensor({0.1, INFINITY}, {.dtype = float64})},
          {"steps", tensor(7, {.dtype = int64})},
          {"mask", tensor({1, 0, 1}, {.dtype = boolean})},
          {"none", zeros({0, 3})}};
}

TEST_F(Safetensors, ReturnsTheSameBits) {
  const std::map<std::string, Tensor> before = example();
  const std::map<std::string, std::string> metadata{{"epoch", "3"}, {"note", "\"quoted\"\n\xC3\xA4"}};
  save(path_, before, metadata);
  const std::map<std::string, Tensor> after = load(path_);
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [name, x] : before) EXPECT_THAT(after.at(name), AllClose(x, {0, 0, true})) << name;
  EXPECT_EQ(load_metadata(path_), metadata);
  EXPECT_EQ(count_files(), 1u);
}

TEST_F(Safetensors, SavesStridedViews) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  save(path_, {{"x", x.transpose(0, 1)}, {"y", ones({1}).expand({3})}});
  EXPECT_TENSOR_NEAR(load(path_).at("x"), tensor({{1, 4}, {2, 5}, {3, 6}}), 0);
  EXPECT_TENSOR_NEAR(load(path_).at("y"), ones({3}), 0);
}

TEST_F(Safetensors, AlignsTheNumbers) {
  save(path_, example());
  const std::string bytes = read();
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  EXPECT_EQ(header["steps"]["data_offsets"][0].get<int>() % 8, 0);
  EXPECT_EQ(header["weight"]["data_offsets"][0].get<int>() % 4, 0);
}

TEST_F(Safetensors, LoadsTheEmptyFile) {
  save(path_, {});
  EXPECT_TRUE(load(path_).empty());
  EXPECT_TRUE(load_metadata(path_).empty());
}

// Loads or throws a FormatError that names the file; anything else fails the test.
bool loads(const std::string& path) {
  try {
    load(path);
    return true;
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    return false;
  }
}

TEST_F(Safetensors, RefusesEveryTruncation) {
  save(path_, example(), {{"epoch", "3"}});
  const std::string bytes = read();
  ASSERT_GT(bytes.size(), 500u);
  for (size_t length = 0; length < bytes.size(); ++length) {
    write(bytes.substr(0, length));
    EXPECT_FALSE(loads(path_)) << "cut to " << length << " bytes";
  }
  write(bytes + "x");
  EXPECT_FALSE(loads(path_));
}

TEST_F(Safetensors, SurvivesEveryFlippedBit) {
  save(path_, example(), {{"epoch", "3"}});
  const std::string bytes = read();
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto put = [&](char byte) {  // in place: a new file for each bit would take seconds
      std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary).seekp(std::streamoff(bit / 8)).put(byte);
    };
    put(char(bytes[bit / 8] ^ (1 << bit % 8)));
    refused += !loads(path_);
    put(bytes[bit / 8]);
  }
  EXPECT_GT(refused, bytes.size());
}

TEST_F(Safetensors, RefusesEveryHostileField) {
  const std::string deep(2000, '[');
  const std::pair<std::string, std::string> cases[] = {
      {R"([])", "must be JSON that begins with {"},
      {R"( {})", "must be JSON that begins with {"},
      {std::string("{}\0hidden", 9), "must be JSON that begins with {"},
      {R"({} x)", "no valid JSON"},
      {R"({"a")", "no valid JSON"},
      {"{\"\xff\": 1}", "no valid JSON"},
      {R"({"a": 1})", "a number stands in the header where none belongs"},
      {R"({"a": null})", "null stands"},
      {R"({"a": [1]})", "an array stands"},
      {"{\"a\": " + deep, "an array stands"},
      {R"({"a": {"dtype": {"x": 1}}})", "nested too deeply"},
      {R"({"a": {"shape": [[1]]}})", "an array stands"},
      {R"({"a": {"shape": [2]}})", "one is missing"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4], "x": 1}})", "unknown field \"x\""},
      {R"({"a": {"dtype": "F32", "dtype": "F32", "shape": [], "data_offsets": [0, 4]}})", "\"dtype\" comes twice"},
      {R"({"a": {"dtype": "BF16", "shape": [], "data_offsets": [0, 4]}})",
       "tensor \"a\": the dtype must be F32, F64, I64 or BOOL, got \"BF16\""},
      {R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", "must not be negative, got -1"},
      {R"({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}})", "must be whole numbers, got \"1.5\""},
      {R"({"a": {"dtype": "F32", "shape": [99999999999999999999], "data_offsets": [0, 4]}})", "must be whole numbers"},
      {R"({"a": {"dtype": "F32", "shape": [18446744073709551615], "data_offsets": [0, 4]}})", "is too large"},
      {R"({"a": {"dtype": "F32", "shape": [9223372036854775807], "data_offsets": [0, 4]}})", "do not fit 64 bits"},
      {R"({"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}})", "do not fit 64 bits"},
      {R"({"a": {"dtype": "F32", "shape": [0, 4294967296, 4294967296], "data_offsets": [0, 0]}})",
       "do not fit 64 bits"},
      {R"({"a": {"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1], "data_offsets": [0, 4]}})", "more than 8 sizes"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}})",
       "tensor \"a\": [2] in float32 has 8 bytes, got data_offsets [0, 4]"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [4, 0]}})", "must begin at 0"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4, 8]}})", "must be two numbers"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0]}})", "must be two numbers"},
      {R"({"a": {"dtype": "F32", "shape": [1000000], "data_offsets": [0, 4000000]}})", "ends at byte 4000000"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "a": {"dtype": "F32", "shape": [],)"
       R"( "data_offsets": [0, 4]}})",
       "the name \"a\" comes twice"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [],)"
       R"( "data_offsets": [0, 4]}})",
       "tensor \"b\": its bytes must begin at 4, where the ones before end, got 0"},
      {R"({"__metadata__": {"a": 1}})", "a number stands"},
      {R"({"__metadata__": {"a": {}}})", "nested too deeply"},
      {R"({"__metadata__": {"a": "1", "a": "2"}})", "the key \"a\" comes twice"},
      {R"({"__metadata__": {}, "__metadata__": {}})", "comes twice"},
      {R"({})", "4 bytes follow the last tensor"},
  };
  for (const auto& [header, message] : cases) {
    write_header(header, 4);
    EXPECT_THAT([&] { load(path_); }, ThrowsMessage<FormatError>(AllOf(HasSubstr(path_), HasSubstr(message))))
        << header.substr(0, 200);
  }
}

TEST_F(Safetensors, RefusesMoreTensorsThanAModelHas) {
  std::string header = "{";
  for (int i = 0; i <= 65536; ++i)
    header += fmt::format(R"({}"{}": {{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})", i ? ", " : "", i);
  write_header(header + "}");
  EXPECT_THAT([&] { load(path_); }, ThrowsMessage<FormatError>(HasSubstr("more than 65536 tensors")));
}

TEST_F(Safetensors, RefusesHeaderLengthsBeyondTheFile) {
  for (uint64_t length : {uint64_t(3), uint64_t(255), uint64_t(1) << 31, uint64_t(1) << 63, ~uint64_t(0)}) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    write(bytes + "{}");
    EXPECT_THAT([&] { load(path_); }, ThrowsMessage<FormatError>(HasSubstr("the header must fit the file")));
  }
}

TEST_F(Safetensors, SaysWhatElseAFileSeemsToBe) {
  for (const std::string& begin : {std::string("PK\3\4\0\0\x08\x08", 8), std::string("\x80\2\x8a\nl\xfc\x9c\x46", 8)}) {
    write(begin + "archive/data.pkl");
    EXPECT_THAT([&] { load(path_); },
                ThrowsMessage<FormatError>("load: " + path_ +
                                           ": this seems to be a PyTorch file (.pt), not safetensors. Hint: save "
                                           "it in Python with safetensors.torch.save_file(model.state_dict(), "
                                           "path)"));
  }
  write("x,y,label\n1,2,0\n");
  EXPECT_THAT([&] { load(path_); },
              ThrowsMessage<FormatError>(HasSubstr("this seems to be a text file, not safetensors, it begins "
                                                   "with \"x,y,labe\"")));
}

TEST_F(Safetensors, RefusesTruthValuesOtherThanZeroAndOne) {
  save(path_, {{"mask", tensor({1, 0}, {.dtype = boolean})}});
  std::string bytes = read();
  bytes.back() = 2;
  write(bytes);
  EXPECT_THAT([&] { load(path_); }, ThrowsMessage<FormatError>(HasSubstr("tensor \"mask\": a BOOL must be 0 or 1")));
}

TEST_F(Safetensors, NamesWhatCannotBeOpened) {
  EXPECT_THAT([&] { load(path_); }, ThrowsMessage<FormatError>(HasSubstr("cannot be opened: No such file")));
  EXPECT_THAT([&] { load(folder_.string()); }, ThrowsMessage<FormatError>(HasSubstr("is not a regular file")));
  EXPECT_THAT([&] { save(folder_.string(), {}); }, ThrowsMessage<FormatError>(HasSubstr("is not a regular file")));
  EXPECT_THAT([&] { save((folder_ / "no" / "file").string(), {}); },
              ThrowsMessage<FormatError>(HasSubstr("cannot be written: No such file")));
}

TEST_F(Safetensors, AFailedSaveLeavesTheOldFile) {
  save(path_, {{"x", ones({3})}});
  const std::string before = read();
  EXPECT_THAT(
      [&] {
        save(path_, {{"x", Tensor()}});
      },
      ThrowsMessage<ValueError>(HasSubstr("tensor \"x\" is an empty handle")));
  EXPECT_THROW(save(path_, {{"__metadata__", ones({1})}}), ValueError);
  EXPECT_THAT([&] { save(path_, {{"\xff", ones({1})}}); }, ThrowsMessage<FormatError>(HasSubstr("must be UTF-8")));
  EXPECT_EQ(read(), before);
  EXPECT_EQ(count_files(), 1u);
}

TEST_F(Safetensors, KeepsTheModeAndFollowsLinks) {
  save(path_, {});
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  const fs::path link = folder_ / "link";
  fs::create_symlink(path_, link);
  save(link.string(), {{"x", ones({3})}});
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(load(path_).count("x"), 1u);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
}

}  // namespace
}  // namespace tapegrad
