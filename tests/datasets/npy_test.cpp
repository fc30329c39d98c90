// Arrays as NumPy 2.4 writes them, byte for byte, and what may happen to the files.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "datasets/files.h"

namespace tapegrad::datasets {
namespace {

using ::testing::HasSubstr;

// A .npy file with this header and these numbers; version 1 unless it is told.
std::string npy(const std::string& header, const std::string& numbers, char version = 1) {
  std::string text = header;
  const size_t before = version == 1 ? 10 : 12;
  text.resize((text.size() + before + 1 + 63) / 64 * 64 - before - 1, ' ');
  text += '\n';
  std::string out = std::string("\x93NUMPY", 6) + version + '\0';
  for (size_t i = 0; i < (version == 1 ? 2u : 4u); ++i) out += char(text.size() >> 8 * i & 0xff);
  return out + text + numbers;
}
std::string dictionary(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}
const std::string kSix =
    npy(dictionary("<f4", "(2, 3)"),
        std::string("\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@\x00\x00\xa0@\x00\x00\xc0@", 24));

void read_npy(const std::string& path) { (void)load_npy(path); }
void read_npz(const std::string& path) { (void)load_npz(path); }

std::string error(const std::string& bytes) {
  const Folder folder;
  const std::string text = refusal(folder.write("x.npy", bytes), read_npy);
  return text.substr(std::min(text.find("x.npy"), text.size()));
}
Tensor parsed(const std::string& bytes) {
  const Folder folder;
  return load_npy(folder.write("x.npy", bytes));
}

TEST(Npy, ReadsWhatNumPyWrites) {
  EXPECT_TENSOR_NEAR(parsed(kSix), tensor({{1, 2, 3}, {4, 5, 6}}), 0);
  const Tensor fortran =
      parsed(npy(dictionary(">i2", "(2, 3)", "True"), std::string("\0\1\0\4\0\2\0\5\0\3\xff\xfa", 12)));
  EXPECT_TENSOR_NEAR(fortran, tensor({{1, 2, 3}, {4, 5, -6}}, {.dtype = int64}), 0);
  EXPECT_TRUE(fortran.is_contiguous());
  const Tensor number = parsed(npy(dictionary("<f8", "()"), std::string("\0\0\0\0\0\0\x04@", 8)));
  EXPECT_EQ(number.shape(), Shape({}));
  EXPECT_EQ(number.item<double>(), 2.5);
  EXPECT_EQ(parsed(npy(dictionary(">f8", "(1,)"), std::string("@\x04\0\0\0\0\0\0", 8))).item(), 2.5);
  EXPECT_EQ(parsed(npy(dictionary("|b1", "(2,)"), std::string("\1\0", 2))).to_vector<bool>(),
            (std::vector<bool>{true, false}));
  EXPECT_EQ(parsed(npy(dictionary("|u1", "(2,)"), "\1\xff")).to_vector<int64_t>(), (std::vector<int64_t>{1, 255}));
  EXPECT_EQ(parsed(npy(dictionary("|i1", "(2,)"), "\1\xff")).to_vector<int64_t>(), (std::vector<int64_t>{1, -1}));
  EXPECT_EQ(parsed(npy(dictionary("<u4", "(1,)"), "\xff\xff\xff\xff")).item(), 4294967295.0);
  EXPECT_EQ(parsed(npy(dictionary("<f8", "(0, 3)"), "")).shape(), Shape({0, 3}));
  for (const char version : {2, 3})
    EXPECT_EQ(parsed(npy(dictionary("<i8", "(1,)"), std::string("\7\0\0\0\0\0\0\0", 8), version)).item(), 7);
  EXPECT_EQ(parsed(npy("{'shape':(1,),'fortran_order':False,\"descr\":'|u1'}", "\7")).item(), 7);
}

TEST(Npy, WritesWhatNumPyWrites) {
  const Folder folder;
  save_npy(folder.path("x.npy"), tensor({{1, 4}, {2, 5}, {3, 6}}).transpose(0, 1));
  EXPECT_EQ(folder.read("x.npy"), kSix);
  save_npy(folder.path("x.npy"), tensor({1, 0}, {.dtype = boolean}));
  EXPECT_EQ(folder.read("x.npy"), npy(dictionary("|b1", "(2,)"), std::string("\1\0", 2)));
  save_npy(folder.path("x.npy"), tensor(2.5, {.dtype = float64}));
  EXPECT_EQ(folder.read("x.npy"), npy(dictionary("<f8", "()"), std::string("\0\0\0\0\0\0\x04@", 8)));
  EXPECT_THROW(save_npy(folder.path("none/x.npy"), ones({2})), FormatError);
}

TEST(Npy, ReturnsTheSameBits) {
  const Folder folder;
  for (const Tensor& x : {tensor({1, NAN, -INFINITY, -0.0}), randn({3, 0, 2}), randn({1, 2, 1, 2, 1, 2, 1, 2}),
                          tensor({0.1, 1e300}, {.dtype = float64}), arange(5), tensor({1, 0}, {.dtype = boolean})}) {
    save_npy(folder.path("x.npy"), x);
    EXPECT_THAT(load_npy(folder.path("x.npy")), AllClose(x, {0, 0, true}));
  }
}

TEST(Npy, SaysWhatIsWrong) {
  EXPECT_THAT(error(""), HasSubstr("x.npy: byte 0: a .npy file begins with"));
  EXPECT_EQ(error(std::string("\x93NUMPY\4\0", 8)), "x.npy: byte 8: the version must be 1.0, 2.0 or 3.0, got 4.0");
  EXPECT_EQ(error(std::string("\x93NUMPY\2\0\xf0\xff\xff\xff", 12)),
            "x.npy: byte 12: the header must have at most 65536 bytes, got 4294967280");
  EXPECT_EQ(error(std::string("\x93NUMPY\1\0\xf0\xff{}", 12)),
            "x.npy: byte 10: the header needs 65520 bytes, the file has 2 more");
  EXPECT_EQ(error(npy(dictionary("|O", "(1,)"), "pickle")),
            "x.npy: byte 24: an array of Python objects is a program that is run; it is not read");
  EXPECT_EQ(error(npy(dictionary("<f2", "(1,)"), "ab")),
            "x.npy: byte 25: the type must be float32, float64, an integer or bool, got '<f2'. Hint: save "
            "x.astype('float32')");
  EXPECT_THAT(error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd")),
              HasSubstr("records are not read"));
  EXPECT_EQ(error(npy(dictionary("<f4", "(2, 4)"), kSix.substr(128))),
            "x.npy: byte 128: shape [2, 4] needs 32 bytes, the file has 24 more");
  EXPECT_EQ(error(npy(dictionary("|b1", "(1,)"), "\2")), "x.npy: byte 128: a bool must be 0 or 1");
  EXPECT_THAT(error(npy(dictionary("<f4", "(1,)", "false"), "abcd")), HasSubstr("True or False is expected"));
  EXPECT_THAT(error(npy("{'descr': '<f4', 'shape': (1,), }", "abcd")), HasSubstr("one is missing"));
  EXPECT_THAT(error(npy("{'descr': '<f4', 'descr': '<f4', }", "")),
              HasSubstr("the key 'descr' is unknown or comes twice"));
  EXPECT_THAT(error(npy(dictionary("<f4", "(3)"), "")), HasSubstr("a shape must be a tuple"));
  EXPECT_THAT(error(npy(dictionary("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "abcd")), HasSubstr("more than 8 axes"));
  EXPECT_THAT(error(npy(dictionary("<f4", "(1,)") + "x", "abcd")), HasSubstr("must end in spaces and a line end"));
}

TEST(Npy, SurvivesEveryTruncationAndEveryFlippedBit) {
  damage(Folder(), "x.npy", kSix, read_npy);
  damage(Folder(), "x.npy", npy(dictionary(">i8", "(2, 2)", "True"), std::string(32, '\1'), 2), read_npy);
}

// The shape is text, so the extremes are too. An 80-byte file must not make anyone ask for 32 GiB.
TEST(Npy, BelievesNoSize) {
  for (const char* size :
       {"-1", "0", "1", "127", "255", "32768", "2147483647", "2147483648", "4294967295", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "99999999999999999999999", "4611686018427387904"})
    for (const std::string& shape :
         {std::string(size) + ", 3", "2, " + std::string(size), std::string(size) + ", " + size})
      EXPECT_NE(error(npy(dictionary("<f4", "(" + shape + ")"), kSix.substr(128))), "") << shape;
  for (const char* empty : {"0, 4611686018427387904, 4611686018427387904", "4611686018427387904, 4, 0"})
    EXPECT_NE(error(npy(dictionary("<f4", "(" + std::string(empty) + ")"), "")), "")
        << "no shape has these sizes, though one is 0";
  const std::string huge = "18446744073709551616, 0";
  EXPECT_NE(error(npy(dictionary("<f4", "(" + huge + ")"), "")), "");
  extremes("x.npy", kSix, 6, 1, false, read_npy);
  extremes("x.npy", kSix, 8, 2, false, read_npy);
  extremes("x.npy", npy(dictionary("<f4", "(2, 3)"), kSix.substr(128), 2), 8, 4, false, read_npy);
}

StateDict arrays() {
  return {{"weight", tensor({{1, 2, 3}, {4, 5, NAN}})},
          {"bias", tensor({0.1, 2}, {.dtype = float64})},
          {"n", tensor(7, {.dtype = int64})},
          {"mask", tensor({1, 0}, {.dtype = boolean})}};
}

void expect_arrays(const std::string& path) {
  const StateDict read = load_npz(path);
  ASSERT_EQ(read.size(), arrays().size());
  for (const auto& [name, x] : arrays()) EXPECT_THAT(read.at(name), AllClose(x, {0, 0, true})) << name;
}

TEST(Npz, ReturnsTheSameBits) {
  const Folder folder;
  for (const bool compress : {false, true}) {
    save_npz(folder.path("x.npz"), arrays(), {.compress = compress});
    expect_arrays(folder.path("x.npz"));
  }
  save_npz(folder.path("large.npz"), {{"zeros", zeros({1000, 1000})}}, {.compress = true});
  EXPECT_LT(folder.read("large.npz").size(), 10000u);
  EXPECT_TENSOR_NEAR(load_npz(folder.path("large.npz")).at("zeros"), zeros({1000, 1000}), 0);
  save_npz(folder.path("empty.npz"), {});
  EXPECT_TRUE(load_npz(folder.path("empty.npz")).empty());
}

// np.savez_compressed(f, x=np.array([1, 2], 'u1')) of NumPy 2.4, whose local headers leave the sizes to an extra field.
TEST(Npz, ReadsWhatNumPyWrites) {
  const std::string bytes(
      "PK\003\004-\000\000\000\010\000\000\000!\000b\002e_\377\377\377\377\377\377\377\377\005\000\024"
      "\000x.npy\001\000\020\000\202\000\000\000\000\000\000\000F\000\000\000\000\000\000\000\233\354"
      "\027\352\033\020\311\310P\306P\255\236\222Z\234\134\244n\245\240^Sj\250\256\243\240\236\226_TR"
      "\224\230\027\237_\224\222\012\022wK\314)N\005\212\027g$\026\244\002\371\032F:\232:\012\265\012"
      "\024\000.F&\000PK\001\002-\003-\000\000\000\010\000\000\000!\000b\002e_F\000\000\000\202\000"
      "\000\000\005\000\000\000\000\000\000\000\000\000\000\000\200\001\000\000\000\000x.npyPK\005\006"
      "\000\000\000\000\001\000\001\0003\000\000\000}\000\000\000\000\000",
      198);
  const Folder folder;
  const StateDict read = load_npz(folder.write("x.npz", bytes));
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read.at("x").to_vector<int64_t>(), (std::vector<int64_t>{1, 2}));
  damage(Folder(), "x.npz", bytes, [](const std::string& path) {
    const StateDict read = load_npz(path);
    EXPECT_EQ(read.begin()->second.to_vector<int64_t>(), (std::vector<int64_t>{1, 2}));
  });
}

// A checksum stands for each entry, so what is read after a flip is what was written.
TEST(Npz, SurvivesEveryTruncationAndEveryFlippedBit) {
  for (const bool compress : {false, true}) {
    const Folder folder;
    save_npz(folder.path("x.npz"), arrays(), {.compress = compress});
    damage(Folder(), "x.npz", folder.read("x.npz"), [](const std::string& path) { expect_arrays(path); });
  }
}

TEST(Npz, RefusesWhatWouldBecomeTooLarge) {
  const Folder folder;
  save_npz(folder.path("x.npz"), {{"zeros", zeros({1 << 20})}}, {.compress = true});
  EXPECT_THAT(
      refusal(folder.path("x.npz"), [](const std::string& path) { (void)load_npz(path, {.most_bytes = 1 << 20}); }),
      HasSubstr("entry \"zeros.npy\": it says that 4194432 bytes come out of it, of at most 1048576"));
  // The directory lies: the size of the entry, in its last record.
  std::string lie = folder.read("x.npz");
  const size_t central = lie.rfind("PK\1\2");
  for (const size_t at : {central + 20, central + 24}) extremes("x.npz", lie, at, 4, false, read_npz);
}

TEST(Npz, SaysWhatIsWrong) {
  const Folder folder;
  EXPECT_THAT(refusal(folder.write("x.npz", "no archive"), read_npz), HasSubstr("no valid zip archive"));
  EXPECT_THAT(refusal(folder.path("none.npz"), read_npz), HasSubstr("cannot be opened"));
  save_npz(folder.path("x.npz"), arrays());
  std::string other = folder.read("x.npz");
  for (size_t at; (at = other.find("mask.npy")) != std::string::npos;) other.replace(at, 8, "mask.txt");
  EXPECT_THAT(refusal(folder.write("x.npz", other), read_npz),
              HasSubstr("entry \"mask.txt\": its name does not end in .npy"));
  save_npz(folder.path("x.npz"), {{"a", ones({1})}, {"b", ones({1})}});
  std::string twice = folder.read("x.npz");
  for (size_t at; (at = twice.find("b.npy")) != std::string::npos;) twice.replace(at, 5, "a.npy");
  EXPECT_THAT(refusal(folder.write("x.npz", twice), read_npz),
              HasSubstr("x.npz: no valid zip archive: File already exists"));
  EXPECT_THROW(save_npz(folder.path("x.npz"), {{"x", Tensor()}}), ValueError);
  EXPECT_THROW(save_npz(folder.path("x.npz"), {{"", ones({1})}}), ValueError);
}

}  // namespace
}  // namespace tapegrad::datasets
