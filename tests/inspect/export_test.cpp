#include <tapegrad/inspect/export.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tapegrad {
namespace {

std::string place(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("tapegrad_" + name)).string();
}
std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

// Castagnoli's checksum, bit by bit.
uint32_t masked(const std::string& bytes) {
  uint32_t c = ~0u;
  for (const char byte : bytes) {
    c ^= uint8_t(byte);
    for (int k = 0; k < 8; ++k) c = (c >> 1) ^ (c & 1 ? 0x82f63b78 : 0);
  }
  return std::rotr(~c, 15) + 0xa282ead8;
}
template <class T>
T at(const std::string& bytes, size_t place) {
  T value;
  std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

void write_all(const std::string& folder) {
  inspect::EventFile board(folder);
  for (int64_t step = 0; step < 3; ++step) board.scalar("loss", 1.0 / double(step + 1), step);
  board.histogram("weight", tensor({-1, 0, 1, 1}), 2);
  Tensor picture = zeros({3, 4, 5});
  picture[0].fill_(1);
  board.image("red", picture, 1);
  board.text("note", "**found**", 1);
}

TEST(EventFile, RecordsHaveLengthsAndChecksums) {
  const std::string folder = place("events");
  std::filesystem::remove_all(folder);
  write_all(folder);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    EXPECT_THAT(entry.path().string(), ::testing::HasSubstr("tfevents"));
    const std::string all = content(entry.path());
    size_t position = 0, records = 0;
    for (; position < all.size(); ++records) {
      const uint64_t size = at<uint64_t>(all, position);
      ASSERT_EQ(at<uint32_t>(all, position + 8), masked(all.substr(position, 8)));
      ASSERT_EQ(at<uint32_t>(all, position + 12 + size), masked(all.substr(position + 12, size)));
      if (records == 0) {
        EXPECT_THAT(all.substr(position + 12, size), ::testing::HasSubstr("brain.Event:2"));
      }
      position += 16 + size;
    }
    EXPECT_EQ(position, all.size());
    EXPECT_EQ(records, 7u);
  }
  EXPECT_EQ(files, 1);
  std::filesystem::remove_all(folder);
  EXPECT_THROW(inspect::EventFile("/proc/nowhere"), FormatError);
}

TEST(EventFile, IsReadByTensorBoardWhereThatIsInstalled) {
  const char* wish = std::getenv("TAPEGRAD_TENSORBOARD_PYTHON");
  const std::string python = wish ? wish : "python3";
  if (std::system((python + " -c 'import tensorboard' >/dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << "skipped: " << python << " has no tensorboard";
  const std::string folder = place("events_real");
  std::filesystem::remove_all(folder);
  write_all(folder);
  const std::string script = R"(
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
import sys
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0, "images": 0, "histograms": 0}); a.Reload()
tags = a.Tags()
assert (tags["scalars"], tags["histograms"], tags["images"], tags["tensors"]) == (["loss"], ["weight"], ["red"], ["note"]), tags
losses = [(e.step, e.value) for e in a.Scalars("loss")]
assert losses[0] == (0, 1.0) and abs(losses[2][1] - 1 / 3) < 1e-6, losses
assert a.Tensors("note")[0].tensor_proto.string_val[0] == b"**found**"
h = a.Histograms("weight")[0].histogram_value
assert (h.min, h.max, h.num, h.sum, h.sum_squares) == (-1, 1, 4, 1, 3) and sum(h.bucket) == 4 and len(h.bucket) == 30, h
image = a.Images("red")[0]; png = image.encoded_image_string
assert (image.width, image.height) == (5, 4) and png[:4] == b"\x89PNG"
import zlib, struct
at, data = 8, b""
while at < len(png):
    n, = struct.unpack(">I", png[at:at + 4]); kind = png[at + 4:at + 8]
    assert struct.unpack(">I", png[at + 8 + n:at + 12 + n])[0] == zlib.crc32(png[at + 4:at + 8 + n])
    if kind == b"IDAT": data += png[at + 8:at + 8 + n]
    at += 12 + n
assert zlib.decompress(data) == (b"\0" + b"\xff\0\0" * 5) * 4
)";
  const std::string file = place("events_check.py");
  std::ofstream(file) << script;
  EXPECT_EQ(std::system((python + " " + file + " " + folder + " 2>&1").c_str()), 0);
  std::filesystem::remove_all(folder);
  std::filesystem::remove(file);
}

TEST(EventFile, IsMadeFromALog) {
  const std::string log = place("board.jsonl"), folder = place("board");
  std::filesystem::remove_all(folder);
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU());
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  {
    inspect::Microscope scope(net, sgd, {.log = log, .every = 1, .config = {{"hidden", "3"}}});
    for (int i = 0; i < 3; ++i) {
      Tape tape(scope.watch());
      tape.backward(mean(net(randn({8, 2}))));
      sgd.step();
      scope.step(i == 1 ? std::nan("") : 1.0);
    }
  }
  inspect::write_tensorboard(log, folder);
  const std::string all = content(std::filesystem::directory_iterator(folder)->path());
  for (const char* tag :
       {"loss", "lr", "settings", "activation/1 relu", "dead/1 relu", "parameter/0.weight", "update_ratio/0.weight"})
    EXPECT_THAT(all, ::testing::HasSubstr(tag));
  std::filesystem::remove_all(folder);
  std::filesystem::remove(log);
}

TEST(EventFile, RefusesWhatIsNoImage) {
  const std::string folder = place("no_image");
  inspect::EventFile board(folder);
  EXPECT_THAT(
      [&] {
        board.image("x", ones({2, 4, 4}), 0);
      },
      ::testing::ThrowsMessage<ShapeError>(
          ::testing::StrEq("EventFile: image must be [1, H, W] or [3, H, W], got [2, 4, 4]")));
  std::filesystem::remove_all(folder);
}

TEST(Trace, IsJsonWithForwardAndBackward) {
  inspect::Listing listing;
  nn::Linear fc(3, 2);
  {
    Tape tape({.observers = {&listing}});
    tape.backward(sum(fc(ones({4, 3}))));
  }
  const std::string path = place("trace.json");
  inspect::write_trace(listing, path);
  const auto j = nlohmann::json::parse(content(path));
  int forward = 0, backward = 0;
  double before = -1;
  for (const auto& event : j["traceEvents"]) {
    if (event["ph"] != "X") continue;
    (event["cat"] == "forward" ? forward : backward) += 1;
    EXPECT_GE(event["ts"].get<double>(), before);
    before = event["ts"];
  }
  EXPECT_EQ(forward, 2);
  EXPECT_EQ(backward, 2);
  std::filesystem::remove(path);
  EXPECT_THROW(inspect::write_trace(listing, "/nowhere/at/all.json"), FormatError);
}

}  // namespace
}  // namespace tapegrad
