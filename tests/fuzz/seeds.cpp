// Writes what the fuzz targets begin with into FOLDER/TARGET: small files of each format, by tapegrad's own writers where it has
// one. Usage: seeds FOLDER.
#include <tapegrad/datasets.h>
#include <tapegrad/tapegrad.h>

#include <filesystem>
#include <fstream>

using namespace tapegrad;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path root = argv[1];
  const auto place = [&](const std::string& target, const std::string& file) {
    std::filesystem::create_directories(root / target);
    return (root / target / file).string();
  };
  const auto write = [&](const std::string& target, const std::string& file, const std::string& bytes) {
    std::ofstream(place(target, file), std::ios::binary) << bytes;
  };
  const StateDict arrays = {{"x", tensor({{1, 2, 3}, {4, 5, 6}})},
                            {"y", tensor(7, {.dtype = int64})},
                            {"mask", tensor({1, 0}, {.dtype = boolean})},
                            {"none", zeros({0, 3}, {.dtype = float64})}};
  save(place("safetensors", "arrays"), arrays, {{"epoch", "3"}});
  save(place("safetensors", "empty"), {});
  write("csv", "numbers", "a,b,label\n1.5,-2e3,0\n\"3\", +.25 ,1\r\n");
  write("csv", "names", "setosa,1.5\n\"a \"\"b\"\"\",2\n");
  {
    nn::Linear model(2, 2);
    train::Checkpointer run(place("checkpoint", ""), {{"model", model}}, {.on_signal = false});
    run.save(1, 0.5);
  }
#ifdef TAPEGRAD_FUZZ_DATASETS
  for (const auto& [name, x] : arrays) datasets::save_npy(place("npy", name), x);
  datasets::save_npz(place("npz", "stored"), arrays);
  datasets::save_npz(place("npz", "deflated"), arrays, {.compress = true});
  write("idx", "bytes", std::string("\0\0\x08\3\0\0\0\1\0\0\0\2\0\0\0\2\1\2\3\4", 20));
  write("idx", "floats", std::string("\0\0\x0d\1\0\0\0\1\x3f\x80\0\0", 12));
  const unsigned char gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03,
                                0x63, 0x60, 0xe0, 0x60, 0x64, 0x60, 0x60, 0x60, 0x62, 0x64,
                                0x01, 0x00, 0x41, 0x59, 0xea, 0x8b, 0x0a, 0x00, 0x00, 0x00};  // of two bytes
  write("idx", "gzip", std::string(reinterpret_cast<const char*>(gzip), sizeof gzip));
  const Tensor picture = arange(24).reshape({3, 2, 4}).to(float32) / 24.0;
  datasets::save_image(place("image", "x.ppm"), picture);
  datasets::save_image(place("image", "x.pgm"), picture[0]);
  write("image", "x.txt", "P2 # grey\n2 1 9\n3 9\n");
#ifdef TAPEGRAD_FUZZ_PNG
  for (int64_t channels = 1; channels <= 3; ++channels)
    datasets::save_image(place("image", std::to_string(channels) + ".png"), narrow(picture, 0, 0, channels));
#endif
  write("sharded", "index", R"({"metadata": {"total_size": 8}, "weight_map": {"x": "a"}})");
#endif
}
