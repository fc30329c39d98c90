// A .npz file is a zip archive of .npy files; libzip reads and writes it. What the directory of an archive says of a size is
// compared with what deflate can make of the compressed bytes, at most 1032 for one, before memory is taken for it.
#include <tapegrad/datasets/npy.h>

#include <zip.h>

#include <deque>
#include <memory>

#include "datasets/npy.h"
#include "io/file.h"
#include "tensor/bytes.h"

namespace tapegrad::datasets {

namespace {

constexpr int64_t kMostEntries = 65536;
constexpr uint64_t kMostPerByte = 1032;

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Closer>;

Archive open(const std::string& path) {
  InputFile file("load_npz", path);  // a regular file, or an error that says what it is
  if (file.remaining() == 0) fail<FormatError>("load_npz", "{}: byte 0: the file is empty", path);
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail<FormatError>("load_npz", "{}: no valid zip archive: {}", path, text);
}

// The bytes of an entry, whose checksum is right.
std::string read_entry(zip_t* archive, const std::string& where, const zip_stat_t& entry, uint64_t most) {
  const auto refuse = [&](const std::string& text) { fail<FormatError>("load_npz", "{}: {}", where, text); };
  if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE)
    refuse(fmt::format("the method must be stored or deflated, got number {}", entry.comp_method));
  if (entry.encryption_method != ZIP_EM_NONE) refuse("is encrypted");
  if (entry.size > most)
    refuse(fmt::format("it says that {} bytes come out of it, of at most {} for the file. Hint: {{.most_bytes = ...}}",
                       entry.size, most));
  const bool stored = entry.comp_method == ZIP_CM_STORE;
  if (stored ? entry.size != entry.comp_size : entry.size / kMostPerByte > entry.comp_size)
    refuse(fmt::format("{} bytes cannot come out of {}", entry.size, entry.comp_size));
  const std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(archive, entry.index, 0));
  if (!file) refuse(zip_strerror(archive));
  std::string bytes(entry.size, '\0');
  // One byte more is asked for: the checksum is compared where the entry ends.
  for (uint64_t at = 0;;) {
    char beyond;
    const bool whole = at == bytes.size();
    const zip_int64_t got = zip_fread(file.get(), whole ? &beyond : bytes.data() + at, whole ? 1 : bytes.size() - at);
    if (got < 0) refuse(zip_file_strerror(file.get()));
    if (got == 0 && whole) return bytes;
    if (got == 0 || whole)
      refuse(fmt::format("{} bytes were to come out, {} did", bytes.size(), whole ? "more" : "fewer"));
    at += uint64_t(got);
  }
}

// libzip makes no archive of nothing, NumPy does.
const std::string kEmpty = std::string("PK\5\6") + std::string(18, '\0');

std::string archive_of(const std::string& path, const StateDict& arrays, NpzOptions options) {
  std::deque<std::string> entries;  // they must stay until the archive is closed
  zip_error_t error;
  zip_error_init(&error);
  const auto refuse = [&](const char* why) { fail<FormatError>("save_npz", "{}: {}", path, why); };
  const std::unique_ptr<zip_source_t, Closer> whole(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!whole) refuse("no memory");
  Archive archive(zip_open_from_source(whole.get(), ZIP_TRUNCATE, &error));
  if (!archive) refuse("no archive can be made");
  zip_source_keep(whole.get());  // the archive gives up its own when it is closed
  for (const auto& [name, x] : arrays) {
    if (!x.defined() || name.empty())
      fail<ValueError>("save_npz", "{}: array \"{}\" {}", path, name,
                       name.empty() ? "has no name" : "is an empty handle");
    const Tensor plain = x.detach().contiguous();
    const std::span<const std::byte> numbers = tapegrad::detail::bytes_of(plain);
    std::string& bytes = entries.emplace_back(npy_header(plain));
    bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size());
    zip_source_t* source = zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
    const int64_t index = source ? zip_file_add(archive.get(), (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
      zip_source_free(source);
      refuse(zip_strerror(archive.get()));
    }
    zip_set_file_compression(archive.get(), zip_uint64_t(index), options.compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    zip_file_set_mtime(archive.get(), zip_uint64_t(index), 315619200, 0);  // 1980: the same bytes every time
  }
  if (zip_close(archive.get()) != 0) refuse(zip_strerror(archive.get()));
  archive.release();
  zip_stat_t stat;
  if (zip_source_stat(whole.get(), &stat) != 0 || zip_source_open(whole.get()) != 0) refuse("cannot be read back");
  std::string bytes(stat.size, '\0');
  const int64_t got = zip_source_read(whole.get(), bytes.data(), bytes.size());
  zip_source_close(whole.get());
  if (got != int64_t(bytes.size())) refuse("cannot be read back");
  return bytes;
}

}  // namespace

StateDict load_npz(const std::string& path, Limits limits) {
  const Archive archive = open(path);
  const int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMostEntries) fail<FormatError>("load_npz", "{}: more than {} arrays", path, kMostEntries);
  StateDict arrays;
  uint64_t left = limits.most_bytes;
  for (int64_t i = 0; i < count; ++i) {
    zip_stat_t entry;
    constexpr zip_uint64_t needed =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), zip_uint64_t(i), ZIP_FL_ENC_RAW, &entry) != 0 || (entry.valid & needed) != needed)
      fail<FormatError>("load_npz", "{}: entry {} cannot be read: {}", path, i, zip_strerror(archive.get()));
    entry.index = zip_uint64_t(i);
    std::string name = entry.name;
    const std::string where = fmt::format("{}: entry \"{}\"", path, shown(name, 80));
    if (!name.ends_with(".npy")) fail<FormatError>("load_npz", "{}: its name does not end in .npy", where);
    name.resize(name.size() - 4);
    const std::string bytes = read_entry(archive.get(), where, entry, left);
    left -= bytes.size();
    if (!arrays.emplace(name, parse_npy(Reader("load_npz", where, bytes))).second)
      fail<FormatError>("load_npz", "{}: comes twice", where);
  }
  return arrays;
}

void save_npz(const std::string& path, const StateDict& arrays, NpzOptions options) {
  const std::string bytes = arrays.empty() ? kEmpty : archive_of(path, arrays, options);
  OutputFile file("save_npz", path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace tapegrad::datasets
