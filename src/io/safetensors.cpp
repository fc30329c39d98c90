// safetensors: eight bytes n (little-endian), n bytes of JSON, then the numbers of all tensors without gaps.
//
//   {"__metadata__": {"epoch": "3"},
//    "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
//
// Offsets count from the end of the header. The header is read event by event and not into a tree: it has
// only three levels, so anything deeper is refused where it begins, and a name that comes twice is seen.
//
// Source: https://github.com/huggingface/safetensors, README "Format" and the checks of its tensor.rs.
#include <tapegrad/io.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/fail.h"
#include "io/file.h"
#include "tensor/impl.h"

namespace tapegrad {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in memory");

constexpr uint64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr size_t kMostEntries = 65536;
constexpr const char* kMetadata = "__metadata__";

struct DtypeName {
  Dtype dtype;
  std::string_view text;
};
constexpr DtypeName kDtypes[] = {{float32, "F32"}, {float64, "F64"}, {int64, "I64"}, {boolean, "BOOL"}};

struct Entry {
  std::string name;
  Dtype dtype = float32;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

struct Header {
  std::vector<Entry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// A name from a file, short and on one line, for a message.
std::string in_quotes(std::string_view text) { return "\"" + shown(text, 80) + "\""; }

class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}
  Header header;

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string where = place_ == Place::file ? "" : fmt::format("tensor {}: ", in_quotes(entry_.name));
    tapegrad::fail<FormatError>("load", "{}: {}{}", path_, where, fmt::format(text, std::forward<Args>(args)...));
  }

  bool start_object(size_t) override {
    if (!open_) {
      open_ = true;
    } else if (place_ == Place::file) {
      place_ = entry_.name == kMetadata ? Place::metadata : Place::entry;
      seen_ = 0;
    } else {
      refuse("the header is nested too deeply");
    }
    return true;
  }
  bool end_object() override {
    if (place_ == Place::entry) {
      if (seen_ != 7) refuse("dtype, shape and data_offsets are needed, one is missing");
      header.entries.push_back(std::exchange(entry_, {}));
    }
    place_ = Place::file;
    return true;
  }
  bool key(std::string& key) override {
    if (place_ == Place::file) {
      entry_ = {};
      entry_.name = key;
      if (!names_.insert(key).second) refuse("the name {} comes twice", in_quotes(key));
      if (names_.size() > kMostEntries) refuse("more than {} tensors", kMostEntries);
    } else if (place_ == Place::metadata) {
      text_ = &header.metadata[key];
      if (!metadata_names_.insert(key).second) refuse("the key {} comes twice", in_quotes(key));
      if (metadata_names_.size() > kMostEntries) refuse("more than {} keys", kMostEntries);
    } else {
      field_ = key == "dtype" ? 1 : key == "shape" ? 2 : key == "data_offsets" ? 4 : 0;
      if (field_ == 0) refuse("unknown field {}", in_quotes(key));
      if (seen_ & field_) refuse("the field {} comes twice", in_quotes(key));
      seen_ |= field_;
    }
    return true;
  }
  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      *text_ = std::move(text);
      return true;
    }
    if (place_ != Place::entry || field_ != 1) return unexpected("a string");
    const auto* known = std::ranges::find(kDtypes, text, &DtypeName::text);
    if (known == std::end(kDtypes)) refuse("the dtype must be F32, F64, I64 or BOOL, got {}", in_quotes(text));
    entry_.dtype = known->dtype;
    return true;
  }
  bool start_array(size_t) override {
    if (place_ != Place::entry || field_ == 1) return unexpected("an array");
    place_ = Place::array;
    count_ = 0;
    return true;
  }
  bool number_unsigned(uint64_t number) override {
    if (place_ != Place::array) return unexpected("a number");
    if (number > uint64_t(INT64_MAX)) refuse("the number {} is too large", number);
    if (field_ == 2) {
      if (count_ == Shape::max_dims) refuse("more than {} sizes", Shape::max_dims);
      entry_.shape.push_back(int64_t(number));
    } else {
      if (count_ == 2) refuse("data_offsets must be two numbers");
      (count_ == 0 ? entry_.begin : entry_.end) = number;
    }
    ++count_;
    return true;
  }
  bool end_array() override {
    if (field_ == 4 && count_ != 2) refuse("data_offsets must be two numbers");
    place_ = Place::entry;
    return true;
  }
  bool number_integer(int64_t number) override { refuse("sizes and offsets must not be negative, got {}", number); }
  bool number_float(double, const std::string& text) override {
    refuse("sizes and offsets must be whole numbers, got {}", in_quotes(text));
  }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a truth value"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t at, const std::string&, const nlohmann::json::exception&) override {
    place_ = Place::file;
    refuse("the header is no valid JSON at byte {}", at + 8);
  }

 private:
  bool unexpected(const char* what) { refuse("{} stands in the header where none belongs", what); }

  enum class Place { file, metadata, entry, array };
  const std::string& path_;
  Place place_ = Place::file;
  bool open_ = false;
  Entry entry_;
  int field_ = 0, seen_ = 0;  // bits: dtype 1, shape 2, data_offsets 4
  int64_t count_ = 0;
  std::string* text_ = nullptr;
  std::set<std::string> names_, metadata_names_;
};

// Every tensor's bytes agree with its shape, follow on those of the one before, and end with the file.
void check_places(const InputFile& file, std::vector<Entry>& entries) {
  const auto refuse = [&](const Entry& entry, const std::string& text) {
    fail<FormatError>("load", "{}: tensor {}: {}", file.path(), in_quotes(entry.name), text);
  };
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t at = 0;
  for (const Entry& entry : entries) {
    uint64_t bytes = item_size(entry.dtype);
    bool overflow = false;
    for (int64_t size : entry.shape)
      overflow |= __builtin_mul_overflow(bytes, uint64_t(std::max<int64_t>(size, 1)), &bytes);
    if (overflow || bytes > uint64_t(INT64_MAX))
      refuse(entry, fmt::format("the bytes of {} do not fit 64 bits", entry.shape));
    if (entry.shape.numel() == 0) bytes = 0;
    if (entry.begin != at)
      refuse(entry, fmt::format("its bytes must begin at {}, where the ones before end, got {}", at, entry.begin));
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      refuse(entry, fmt::format("{} in {} has {} bytes, got data_offsets [{}, {}]", entry.shape, entry.dtype, bytes,
                                entry.begin, entry.end));
    if (bytes > file.remaining() - at)
      refuse(entry, fmt::format("ends at byte {} of the data, the file has {}", entry.end, file.remaining()));
    at = entry.end;
  }
  if (at != file.remaining())
    fail<FormatError>("load", "{}: {} bytes follow the last tensor", file.path(), file.remaining() - at);
}

// What a file that does not begin with the length of a header seems to be.
void refuse_other_formats(const std::string& path, uint64_t length) {
  const std::string_view begin(reinterpret_cast<const char*>(&length), 8);
  if (begin.starts_with("PK\3\4") || begin.starts_with("\x80\2"))
    fail<FormatError>("load",
                      "{}: this seems to be a PyTorch file (.pt), not safetensors. Hint: save it in Python with "
                      "safetensors.torch.save_file(model.state_dict(), path)",
                      path);
  if (std::all_of(begin.begin(), begin.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; }))
    fail<FormatError>("load", "{}: this seems to be a text file, not safetensors, it begins with {}", path,
                      in_quotes(begin));
}

Header read_header(InputFile& file) {
  uint64_t length = 0;
  file.read(&length, 8);
  if (length > file.remaining()) {
    refuse_other_formats(file.path(), length);
    fail<FormatError>("load", "{}: the header must fit the file, got a header of {} bytes in {}", file.path(), length,
                      file.remaining());
  }
  if (length > kLargestHeader)
    fail<FormatError>("load", "{}: the header must have at most {} bytes, got {}", file.path(), kLargestHeader, length);
  std::string text(length, '\0');
  file.read(text.data(), length);
  // The parser takes a zero byte for the end of its input.
  if (text.empty() || text[0] != '{' || text.find('\0') != std::string::npos)
    fail<FormatError>("load", "{}: the header must be JSON that begins with {{", file.path());
  HeaderReader reader(file.path());
  if (!nlohmann::json::sax_parse(text, &reader))
    fail<FormatError>("load", "{}: the header is no valid JSON", file.path());
  check_places(file, reader.header.entries);
  return std::move(reader.header);
}

// `text` as JSON writes it, quotes included.
std::string json_text(const std::string& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail<FormatError>("save", "{}: names and metadata must be UTF-8, got {}", path, in_quotes(text));
  }
}

}  // namespace

std::map<std::string, Tensor> load(const std::string& path) {
  InputFile file("load", path);
  const Header header = read_header(file);
  std::map<std::string, Tensor> tensors;
  for (const Entry& entry : header.entries) {
    Tensor x = detail::new_tensor(entry.shape, entry.dtype);
    auto* bytes = detail::mutable_ptr<uint8_t>(x);
    file.read(bytes, entry.end - entry.begin);
    if (entry.dtype == boolean && std::any_of(bytes, bytes + x.numel(), [](uint8_t byte) { return byte > 1; }))
      fail<FormatError>("load", "{}: tensor {}: a BOOL must be 0 or 1", path, in_quotes(entry.name));
    tensors.emplace(entry.name, std::move(x));
  }
  return tensors;
}

std::map<std::string, std::string> load_metadata(const std::string& path) {
  InputFile file("load", path);
  return read_header(file).metadata;
}

void save(const std::string& path, const std::map<std::string, Tensor>& tensors,
          const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Tensor>> items;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) fail<ValueError>("save", "{}: tensor {} is an empty handle", path, in_quotes(name));
    if (name == kMetadata) fail<ValueError>("save", "{}: no tensor can be called {}", path, kMetadata);
    items.emplace_back(name, tensor.detach().contiguous());
  }
  // Wide types first, so that every number lies at a multiple of its size.
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return item_size(a.second.dtype()) > item_size(b.second.dtype());
  });
  std::string header = "{";
  const auto add = [&](const std::string& key, const std::string& value) {
    header += (header.size() > 1 ? "," : "") + json_text(path, key) + ":" + value;
  };
  if (!metadata.empty()) {
    std::string texts;
    for (const auto& [key, text] : metadata)
      texts += (texts.empty() ? "" : ",") + json_text(path, key) + ":" + json_text(path, text);
    add(kMetadata, "{" + texts + "}");
  }
  uint64_t at = 0;
  for (const auto& [name, tensor] : items) {
    const uint64_t bytes = uint64_t(tensor.numel()) * item_size(tensor.dtype());
    const auto dtype = std::ranges::find(kDtypes, tensor.dtype(), &DtypeName::dtype)->text;
    add(name,
        fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", dtype, tensor.shape(), at, at + bytes));
    at += bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > kLargestHeader)
    fail<FormatError>("save", "{}: the header must have at most {} bytes, got {}", path, kLargestHeader, header.size());

  OutputFile file("save", path);
  const uint64_t length = header.size();
  file.write(&length, 8);
  file.write(header.data(), length);
  for (const auto& [name, tensor] : items)
    file.write(detail::ptr<uint8_t>(tensor), uint64_t(tensor.numel()) * item_size(tensor.dtype()));
  file.commit();
}

}  // namespace tapegrad
