// Ready data sets, found in a folder of small files in their formats.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "datasets/files.h"
#include "support/message.h"

namespace tapegrad::datasets {
namespace {

using ::testing::HasSubstr;

// n images of 28 x 28, each full of its number, and their labels.
void write_mnist(const Folder& folder, const std::string& part, int n) {
  const auto size = [](int n) { return std::string("\0\0\0", 3) + char(n); };
  std::string images = std::string("\0\0\x08\3", 4) + size(n) + size(28) + size(28);
  std::string labels = std::string("\0\0\x08\1", 4) + size(n);
  for (int i = 0; i < n; ++i) {
    images += std::string(28 * 28, char(i));
    labels += char(i % 10);
  }
  folder.write(part + "-images-idx3-ubyte", images);
  folder.write(part + "-labels-idx1-ubyte", labels);
}

TEST(Ready, FindsMnist) {
  const Folder folder;
  write_mnist(folder, "train", 12);
  write_mnist(folder, "t10k", 3);
  for (const auto& read : {mnist, fashion_mnist}) {
    const auto [train, test] = read(folder.path());
    EXPECT_EQ(train.x().shape(), Shape({12, 28, 28}));
    EXPECT_EQ(test.size(), 3);
    EXPECT_EQ(train.y()[11].item(), 1);
    EXPECT_FLOAT_EQ(train.x()[11][27][27].item(), 11 / 255.0f);
  }
}

TEST(Ready, FindsCifar10InEitherFolder) {
  const Folder folder;
  for (int i = 1; i <= 6; ++i) {
    std::string record =
        std::string(1, char(i)) + std::string(1024, '\1') + std::string(1024, '\2') + std::string(1024, '\xff');
    folder.write(i == 6 ? "test_batch.bin" : "data_batch_" + std::to_string(i) + ".bin", record + record);
  }
  const auto [train, test] = cifar10(folder.path());
  EXPECT_EQ(train.x().shape(), Shape({10, 3, 32, 32}));
  EXPECT_EQ(train.y().to_vector<int64_t>(), (std::vector<int64_t>{1, 1, 2, 2, 3, 3, 4, 4, 5, 5}));
  EXPECT_EQ(test.size(), 2);
  EXPECT_FLOAT_EQ(train.x()[9][1][31][31].item(), 2 / 255.0f);
  EXPECT_EQ(train.x()[9][2][0][0].item(), 1);

  std::filesystem::create_directory(folder.path("cifar-10-batches-bin"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.is_regular_file())
      std::filesystem::rename(entry.path(), folder.path("cifar-10-batches-bin/" + entry.path().filename().string()));
  EXPECT_EQ(cifar10(folder.path()).test.size(), 2);
  const std::string test_path = "cifar-10-batches-bin/test_batch.bin";
  const auto read = [&](const std::string&) { (void)cifar10(folder.path()); };
  const std::string record = folder.read(test_path).substr(0, 3073);
  EXPECT_THAT(refusal(folder.write(test_path, record + "\x0a" + record.substr(1)), read),
              HasSubstr("test_batch.bin: byte 3073: a label must be in [0, 9], got 10"));
  for (size_t length = 0; length < record.size(); length += 61) {
    std::string path = folder.write(test_path, record.substr(0, length));
    EXPECT_NE(refusal(path, read), "") << length;
  }
}

TEST(Ready, FindsDigitsAndText) {
  const auto [train, test] = digits(TAPEGRAD_DATA_DIR);
  EXPECT_EQ(train.x().shape(), Shape({1438, 8, 8}));
  EXPECT_EQ(test.size(), 359);
  EXPECT_EQ(max(train.x()).item(), 1);
  const Folder folder;
  folder.write("names.txt", "emma\nolivia\n");
  EXPECT_EQ(text(folder.path(), "names").size(), 12);
}

TEST(Ready, SaysHowToFetchWhatIsMissing) {
  EXPECT_EQ(message<FormatError>([] { (void)mnist("none"); }),
            "mnist: none: there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz. Hint: "
            "scripts/fetch_data "
            "mnist none");
  EXPECT_THAT(message<FormatError>([] { (void)cifar10("none"); }), HasSubstr("Hint: scripts/fetch_data cifar10 none"));
  EXPECT_THAT(message<FormatError>([] { (void)digits("none"); }), HasSubstr("Hint: scripts/fetch_data digits none"));
  EXPECT_EQ(message<FormatError>([] { (void)text("none"); }),
            "shakespeare: none: there is no shakespeare.txt. Hint: scripts/fetch_data shakespeare none");
}

}  // namespace
}  // namespace tapegrad::datasets
