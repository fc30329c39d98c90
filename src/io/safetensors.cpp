// safetensors: eight bytes n (little-endian), n bytes of JSON, then the numbers of all tensors without gaps.
//
//   {"__metadata__": {"epoch": "3"},
//    "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
//
// Offsets count from the end of the header. What a tree of it would not show, or would take memory for, is refused
// where it begins: a name that comes twice, and anything deeper than three levels.
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

constexpr std::pair<Dtype, const char*> kDtypes[] = {
    {float32, "F32"}, {float64, "F64"}, {int64, "I64"}, {boolean, "BOOL"}};

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

std::string in_quotes(std::string_view text) { return "\"" + shown(text, 80) + "\""; }

class HeaderReader {
 public:
  HeaderReader(const std::string& path, const std::string& text) : path_(path) {
    try {
      const json tree = json::parse(text, [this](int depth, json::parse_event_t event, json& value) {
        check(depth, event, value);
        return true;
      });
      for (const auto& [name, value] : tree.items()) read(name, value);
    } catch (const json::exception& error) {
      name_.clear();
      const auto* where = dynamic_cast<const json::parse_error*>(&error);
      refuse("the header is no valid JSON{}", where ? fmt::format(" at byte {}", where->byte + 8) : "");
    }
  }
  Header header;

 private:
  using json = nlohmann::json;

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string where = name_.empty() ? "" : fmt::format("tensor {}: ", in_quotes(name_));
    fail<FormatError>("load", "{}: {}{}", path_, where, fmt::format(text, std::forward<Args>(args)...));
  }
  [[noreturn]] void refuse_place(const json& value) const {
    const std::string type = value.type_name();
    const char* article = value.is_null() ? "" : value.is_structured() ? "an " : "a ";
    refuse("{}{} stands in the header where none belongs", article, type);
  }

  // While the header is parsed. `depth` counts the objects and arrays that are open.
  void check(int depth, json::parse_event_t event, const json& value) {
    using Event = json::parse_event_t;
    if (event == Event::object_start && depth > 1) refuse("the header is nested too deeply");
    if (event == Event::array_start && (depth != 2 || name_ == kMetadata)) refuse_place(json::array());
    if (event == Event::array_start) count_ = 0;
    if (event == Event::value && depth == 3 && ++count_ > Shape::max_dims)
      refuse("more than {} sizes", Shape::max_dims);
    if (event != Event::key) return;
    const auto& key = value.get_ref<const std::string&>();
    if (depth == 1) {
      name_.clear();
      note(names_, "name", key);
      name_ = key;
      keys_.clear();
      return;
    }
    const bool is_field = name_ != kMetadata;
    if (is_field && key != "dtype" && key != "shape" && key != "data_offsets")
      refuse("unknown field {}", in_quotes(key));
    note(keys_, is_field ? "field" : "key", key);
  }
  void note(std::set<std::string>& known, const char* what, const std::string& key) const {
    if (!known.insert(key).second) refuse("the {} {} comes twice", what, in_quotes(key));
    if (known.size() > kMostEntries) refuse("more than {} {}s", kMostEntries, what);
  }

  void read(const std::string& name, const json& value) {
    name_ = name;
    if (!value.is_object()) refuse_place(value);
    if (name == kMetadata) {
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) refuse_place(text);
        header.metadata[key] = text;
      }
      return;
    }
    if (value.size() != 3) refuse("dtype, shape and data_offsets are needed, one is missing");
    const json& dtype = value["dtype"];
    if (!dtype.is_string()) refuse_place(dtype);
    const auto* known =
        std::ranges::find(kDtypes, dtype.get<std::string>(), &std::pair<Dtype, const char*>::second);
    if (known == std::end(kDtypes))
      refuse("the dtype must be F32, F64, I64 or BOOL, got {}", in_quotes(dtype.get<std::string>()));
    const std::vector<uint64_t> offsets = whole_numbers(value["data_offsets"]);
    if (offsets.size() != 2) refuse("data_offsets must be two numbers");
    Entry entry{name, known->first, {}, offsets[0], offsets[1]};
    for (uint64_t size : whole_numbers(value["shape"])) entry.shape.push_back(int64_t(size));
    header.entries.push_back(std::move(entry));
  }

  std::vector<uint64_t> whole_numbers(const json& list) const {
    if (!list.is_array()) refuse_place(list);
    std::vector<uint64_t> out;
    for (const json& number : list) {
      if (!number.is_number()) refuse_place(number);
      if (number.is_number_float())
        refuse("sizes and offsets must be whole numbers, got {}", in_quotes(number.dump()));
      if (!number.is_number_unsigned())
        refuse("sizes and offsets must not be negative, got {}", number.dump());
      if (number.get<uint64_t>() > uint64_t(INT64_MAX)) refuse("the number {} is too large", number.dump());
      out.push_back(number.get<uint64_t>());
    }
    return out;
  }

  const std::string& path_;
  std::string name_;                    // of the tensor that is read
  std::set<std::string> names_, keys_;  // so far; keys_ in the object of this name
  int64_t count_ = 0;                   // numbers in this array
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
      refuse(entry,
             fmt::format("its bytes must begin at {}, where the ones before end, got {}", at, entry.begin));
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      refuse(entry, fmt::format("{} in {} has {} bytes, got data_offsets [{}, {}]", entry.shape, entry.dtype,
                                bytes, entry.begin, entry.end));
    if (bytes > file.remaining() - at)
      refuse(entry, fmt::format("ends at byte {} of the data, the file has {}", entry.end, file.remaining()));
    at = entry.end;
  }
  if (at != file.remaining())
    fail<FormatError>("load", "{}: {} bytes follow the last tensor", file.path(), file.remaining() - at);
}

Header read_header(InputFile& file) {
  uint64_t length = 0;
  file.read(&length, 8);
  if (length > file.remaining())
    fail<FormatError>("load", "{}: the header must fit the file, got a header of {} bytes in {}", file.path(),
                      length, file.remaining());
  if (length > kLargestHeader)
    fail<FormatError>("load", "{}: the header must have at most {} bytes, got {}", file.path(),
                      kLargestHeader, length);
  std::string text(length, '\0');
  file.read(text.data(), length);
  // The parser takes a zero byte for the end of its input.
  if (text.empty() || text[0] != '{' || text.find('\0') != std::string::npos)
    fail<FormatError>("load", "{}: the header must be JSON that begins with {{", file.path());
  HeaderReader reader(file.path(), text);
  check_places(file, reader.header.entries);
  return std::move(reader.header);
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
    if (entry.dtype == boolean &&
        std::any_of(bytes, bytes + x.numel(), [](uint8_t byte) { return byte > 1; }))
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
    if (!tensor.defined())
      fail<ValueError>("save", "{}: tensor {} is an empty handle", path, in_quotes(name));
    if (name == kMetadata) fail<ValueError>("save", "{}: no tensor can be called {}", path, kMetadata);
    items.emplace_back(name, tensor.detach().contiguous());
  }
  // Wide types first, so that every number lies at a multiple of its size.
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return item_size(a.second.dtype()) > item_size(b.second.dtype());
  });
  nlohmann::json entries = nlohmann::json::object();
  if (!metadata.empty()) entries[kMetadata] = metadata;
  uint64_t at = 0;
  for (const auto& [name, tensor] : items) {
    const uint64_t end = at + uint64_t(tensor.numel()) * item_size(tensor.dtype());
    const auto* dtype = std::ranges::find(kDtypes, tensor.dtype(), &std::pair<Dtype, const char*>::first);
    entries[name] = {{"dtype", dtype->second},
                     {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                     {"data_offsets", {at, end}}};
    at = end;
  }
  std::string header;
  try {
    header = entries.dump();
  } catch (const nlohmann::json::exception&) {
    fail<FormatError>("save", "{}: names and metadata must be UTF-8", path);
  }
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > kLargestHeader)
    fail<FormatError>("save", "{}: the header must have at most {} bytes, got {}", path, kLargestHeader,
                      header.size());

  OutputFile file("save", path);
  const uint64_t length = header.size();
  file.write(&length, 8);
  file.write(header.data(), length);
  for (const auto& [name, tensor] : items)
    file.write(detail::ptr<uint8_t>(tensor), uint64_t(tensor.numel()) * item_size(tensor.dtype()));
  file.commit();
}

}  // namespace tapegrad
