// IDX, images and weights in several files: what other programs write is read, and what happens to files.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "datasets/files.h"

namespace tapegrad::datasets {
namespace {

using ::testing::HasSubstr;

// Three pictures of 2 x 2, and gzip -n of it (gzip 1.12).
const std::string kIdx("\0\0\x08\3\0\0\0\3\0\0\0\2\0\0\0\2\0\1\2\3\4\5\6\7\x08\x09\xfe\xff", 28);
const std::string kIdxGz(
    "\037\213\010\000\000\000\000\000\000\003c`\340`f``\000a&0fdbfaec\347\340\374\367\037\000\337Vo"
    "\014\034\000\000\000",
    42);
const std::string kLabels("\0\0\x08\1\0\0\0\3\7\x08\x09", 11);
const std::vector<int64_t> kPixels = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 254, 255};

TEST(Idx, ReadsPlainAndCompressedFiles) {
  const Folder folder;
  for (const std::string& bytes : {kIdx, kIdxGz}) {
    const Tensor x = read_idx(folder.write("x", bytes));
    EXPECT_EQ(x.shape(), Shape({3, 2, 2}));
    EXPECT_EQ(x.to_vector<int64_t>(), kPixels);
  }
  const data::TensorDataset set = idx(folder.path("x"), folder.write("y", kLabels));
  EXPECT_EQ(set.y().to_vector<int64_t>(), (std::vector<int64_t>{7, 8, 9}));
  EXPECT_EQ(set.x().to_vector<float>().back(), 1.0f);
  EXPECT_THAT(refusal(folder.path("x"), [&](const std::string& path) { (void)idx(path, folder.write("y", kIdx)); }),
              HasSubstr("labels"));
}

TEST(Idx, SurvivesEveryTruncationAndEveryFlippedBit) {
  const auto read = [](const std::string& path) { (void)read_idx(path); };
  damage(Folder(), "idx", kIdx, read);
  damage(Folder(), "idx.gz", kIdxGz,
         [](const std::string& path) { EXPECT_EQ(read_idx(path).to_vector<int64_t>(), kPixels); });
  const Folder folder;
  const std::string none("\0\0\x0d\4\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20);
  EXPECT_NE(refusal(folder.write("none", none), read), "") << "no shape has these sizes, though one is 0";
  for (const size_t at : {4, 8, 12}) extremes("idx", kIdx, at, 4, true, read);
}

// A million bytes of zeros are a thousand in gzip; a bomb is refused where it passes the limit.
TEST(Idx, RefusesWhatWouldBecomeTooLarge) {
  const Folder folder;
  folder.write("x", kIdxGz);
  const auto read = [](const std::string& path) { (void)read_idx(path, {}, {.most_bytes = 27}); };
  EXPECT_THAT(refusal(folder.path("x"), read), HasSubstr("more than 27 bytes come out of the gzip stream"));
  EXPECT_EQ(read_idx(folder.path("x"), {}, {.most_bytes = 28}).numel(), 12);
  EXPECT_THAT(refusal(folder.write("x", kIdxGz + "x"), read), HasSubstr("byte"));
}

TEST(IdxFile, ReadsSamplesWhereTheyAre) {
  const Folder folder;
  const std::string images = folder.write("x", kIdx), labels = folder.write("y", kLabels);
  const IdxFile file(images, labels, {.scale = 1});
  EXPECT_EQ(file.size(), 3);
  const std::vector<int64_t> indices = {2, 0, 2};
  const auto [x, y] = file.get(indices);
  EXPECT_EQ(x.shape(), Shape({3, 2, 2}));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{8, 9, 254, 255, 0, 1, 2, 3, 8, 9, 254, 255}));
  EXPECT_EQ(y.to_vector<int64_t>(), (std::vector<int64_t>{9, 7, 9}));
  const std::vector<int64_t> outside = {3};
  EXPECT_THROW((void)file.get(outside), IndexError);
  EXPECT_THAT(refusal(folder.write("z", kIdxGz), [&](const std::string& path) { IdxFile(path, labels); }),
              HasSubstr("is compressed with gzip"));
  folder.write("x", kIdx.substr(0, 20));
  EXPECT_THAT(refusal(images, [&](const std::string&) { (void)file.get(indices); }), HasSubstr("became shorter"));
}

// Larger than what the reader takes: 64 MiB on the disk, of which a batch is in memory.
TEST(IdxFile, TakesTheMemoryOfABatch) {
  const Folder folder;
  const int64_t n = 1 << 16;
  std::string header("\0\0\x08\3\0\1\0\0\0\0\0\x20\0\0\0\x20", 16);
  const std::string path = folder.write("x", header);
  std::filesystem::resize_file(path, 16 + uint64_t(n) * 1024);  // zeros that take no place on the disk
  std::string labels("\0\0\x08\1\0\1\0\0", 8);
  const IdxFile file(path, folder.write("y", labels + std::string(size_t(n), '\3')));
  memory::reset_peak();
  const auto before = memory::stats().in_use;
  int64_t seen = 0;
  for (auto [x, y] : data::LoaderOf(file, {.batch_size = 64, .shuffle = true, .seed = 1})) {
    seen += x.size(0);
    if (seen == 6400) break;
  }
  EXPECT_EQ(seen, 6400);
  EXPECT_LT(memory::stats().peak - before, size_t(4) << 20);
}

const std::string kPgm = std::string("P5\n# a comment\n3 2\n255\n\0\1\2\x10\x80\xff", 29);

void read_image(const std::string& path) { (void)load_image(path); }
Tensor image(const std::string& bytes) {
  const Folder folder;
  return load_image(folder.write("x", bytes));
}
std::string image_error(const std::string& bytes) {
  const Folder folder;
  return refusal(folder.write("x", bytes), read_image);
}

TEST(Image, ReadsPgmAndPpm) {
  const Tensor grey = tensor({0, 1, 2, 16, 128, 255}).reshape({1, 2, 3}) / 255;
  EXPECT_TENSOR_NEAR(image(kPgm), grey, 1e-7);
  EXPECT_TENSOR_NEAR(image("P2 3 2 # grey\n255\n0 1 2\n16 128 255\n"), grey, 1e-7);
  EXPECT_TENSOR_NEAR(image(std::string("P5 2 1 65535\n\xff\xff\0\1", 17)),
                     (tensor({1, 1.0 / 65535}).reshape({1, 1, 2})), 1e-7);
  const Tensor colours = tensor({0, 0.5, 0.2, 0.4, 1, 0.1}).reshape({3, 1, 2});  // red, green, blue of two pixels
  EXPECT_TENSOR_NEAR(image("P3 2 1 10 0 2 10 5 4 1"), colours, 1e-7);
  EXPECT_TENSOR_NEAR(image(std::string("P6 2 1 10 \0\2\n\5\4\1", 16)), colours, 1e-7);
}

TEST(Image, ReturnsTheSameSamples) {
  const Folder folder;
  manual_seed(3);
  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{{"x.pgm", {5, 3}},
                                                                              {"x.PPM", {3, 5, 4}},
                                                                              {"x.png", {1, 3, 5}},
                                                                              {"x.png", {2, 4, 5}},
                                                                              {"x.png", {3, 4, 5}},
                                                                              {"x.png", {4, 2, 1}}}) {
    const Tensor x = randint(0, 256, shape).to(float32) / 255;
    save_image(folder.path(name), x);
    EXPECT_TENSOR_NEAR(load_image(folder.path(name)).reshape(x.shape()), x, 1e-7);
  }
}

TEST(Image, SaysWhatIsWrong) {
  EXPECT_THAT(image_error("GIF89a"), HasSubstr("neither PNG, PGM (P2, P5) nor PPM (P3, P6)"));
  EXPECT_THAT(image_error("P5 3 2 255\n12345"), HasSubstr("byte 11: 2 x 3 pixels need 6 bytes, the file has 5 more"));
  EXPECT_THAT(image_error("P5 3 x 255\n123456"),
              HasSubstr("the height must be a whole number in [1, 1048576], got 'x 255?123456'"));
  EXPECT_THAT(image_error("P2 1 1 7 8"), HasSubstr("a sample must be a whole number in [0, 7], got '8'"));
  EXPECT_THAT(image_error("P5 1 1 7\n8"), HasSubstr("sample 0 is over the highest, 7"));
  EXPECT_THAT(image_error("P2 1048576 1048576 7 1"), HasSubstr("are more than"));
  EXPECT_THAT(image_error("P2 99999 99 7 1"), HasSubstr("need more than the"));
  EXPECT_THAT(image_error("P2 1 1 7 1 1"), HasSubstr("something follows"));
  const Folder folder;
  EXPECT_THROW(save_image(folder.path("x.jpg"), ones({2, 2})), ValueError);
  EXPECT_THROW(save_image(folder.path("x.pgm"), ones({3, 2, 2})), ValueError);
  EXPECT_THROW(save_image(folder.path("x.png"), full({2, 2}, 1.1)), ValueError);
  EXPECT_THROW(save_image(folder.path("x.png"), full({2, 2}, NAN)), ValueError);
  EXPECT_THROW(save_image(folder.path("x.png"), arange(4).reshape({2, 2})), DtypeError);
}

TEST(Image, SurvivesEveryTruncationAndEveryFlippedBit) {
  damage(Folder(), "x.pgm", kPgm, read_image);
  damage(Folder(), "x.ppm", "P3 2 1 10 0 2 10 5 4 1", read_image,
         false);  // without its last digits it is another one
  const Folder folder;
  const Tensor x = (arange(24) * 10).reshape({3, 2, 4}).to(float32) / 255;
  save_image(folder.path("x.png"), x);
  // Each part of a PNG has a checksum, so what is read after a flip is what was written.
  damage(Folder(), "x.png", folder.read("x.png"),
         [&](const std::string& path) { EXPECT_TENSOR_NEAR(load_image(path), x, 1e-7); });
}

TEST(Sharded, ReturnsTheSameTensors) {
  const Folder folder;
  const std::string index = folder.path("model.safetensors.index.json");
  const StateDict all = {{"a", ones({2, 2})}, {"b", zeros({3})}, {"c", tensor({1, 2})}, {"d", arange(3)}};
  save_sharded(index, all, {.shard_bytes = 28});
  EXPECT_TRUE(std::filesystem::exists(folder.path("model-00001-of-00003.safetensors")));
  EXPECT_THAT(folder.read("model.safetensors.index.json"), HasSubstr("\"total_size\": 60"));
  const StateDict read = load_sharded(index);
  ASSERT_EQ(read.size(), all.size());
  for (const auto& [name, x] : all) EXPECT_THAT(read.at(name), AllClose(x, {0, 0})) << name;
  damage(
      folder, "model.safetensors.index.json", folder.read("model.safetensors.index.json"),
      [](const std::string& path) { (void)load_sharded(path); }, false);
}

TEST(Sharded, SaysWhatIsWrong) {
  const Folder folder;
  save(folder.path("a.safetensors"), {{"x", ones({1})}, {"y", ones({1})}});
  const auto error = [&](const std::string& json) {
    return refusal(folder.write("i.json", json), [](const std::string& path) { (void)load_sharded(path); });
  };
  EXPECT_THAT(error("[1]"), HasSubstr("an index is an object with \"weight_map\""));
  EXPECT_THAT(error("{\"weight_map\": {\"x\": 3}}"), HasSubstr("tensor \"x\": its file must be a name"));
  EXPECT_THAT(error("{\"weight_map\": {\"x\": \"../a.safetensors\"}}"), HasSubstr("its file must be a name"));
  EXPECT_THAT(error("{\"weight_map\": {\"x\": \"a\", \"x\": \"b\"}}"), HasSubstr("the key \"x\" comes twice"));
  EXPECT_THAT(error("{\"weight_map\": {}, \"weight_map\": {}}"), HasSubstr("comes twice"));
  EXPECT_THAT(error(std::string(10000, '[')), HasSubstr("is nested too deeply"));
  EXPECT_THAT(error("{\"weight_map\": "), HasSubstr("is no valid JSON"));
  EXPECT_THAT(error("{\"weight_map\": {\"x\": 1e999}}"), HasSubstr("is no valid JSON"));
  EXPECT_THAT(error("{\"weight_map\": {\"x\": \"\xff\"}}"), HasSubstr("is no valid JSON"));
  folder.write("i.json", "{\"weight_map\": {\"x\": \"a.safetensors\"}}");
  EXPECT_THROW((void)load_sharded(folder.path("i.json")), FormatError);
  folder.write("i.json",
               "{\"weight_map\": {\"x\": \"a.safetensors\", \"y\": \"a.safetensors\", \"z\": \"a.safetensors\"}}");
  EXPECT_THROW((void)load_sharded(folder.path("i.json")), FormatError);
  EXPECT_THROW(save_sharded(folder.path("x.json"), {}), ValueError);
  EXPECT_THROW(save_sharded(folder.path("x.safetensors.index.json"), {}, {.shard_bytes = 0}), ValueError);
}

}  // namespace
}  // namespace tapegrad::datasets
