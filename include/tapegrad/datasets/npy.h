// Arrays of NumPy: one in a .npy file, several by name in a .npz file.
//
//   datasets::save_npz("run.npz", {{"loss", loss}, {"weight", w}});     // np.load("run.npz")["loss"]
//   const StateDict arrays = datasets::load_npz("data.npz");            // np.savez("data.npz", x=x, y=y)
#pragma once
#include <string>

#include <tapegrad/datasets/limits.h>
#include <tapegrad/state.h>

namespace tapegrad::datasets {

/// The array of a .npy file: float32, float64, int64 and bool as they are, smaller integers, with a sign or without, as
/// int64. Numbers with the highest byte first and arrays in Fortran's order are read too.
///
/// **Throws** FormatError with file, byte and reason: for a file that cannot be read, a header that is not what
/// NumPy writes, more than eight axes, another type (objects, which are pickled programs, complex, float16, text,
/// records), and where the shape does not agree with the bytes that follow, which is checked before memory is
/// taken.
/// **Source** NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays"; versions 1 to 3.
[[nodiscard]] Tensor load_npy(const std::string& path);

/// Writes `x` as NumPy does: version 1, C's order, the lowest byte first. The file appears whole or not at all.
/// **Throws** FormatError where it cannot be written.
void save_npy(const std::string& path, const Tensor& x);

/// The arrays of a .npz file, by name.
///
/// **Throws** FormatError as load_npy(), and for a damaged archive, a checksum that is wrong, a name that is
/// given twice or does not end in .npy, encrypted entries, other methods than stored and deflated, and where
/// more than `most_bytes` would come out.
[[nodiscard]] StateDict load_npz(const std::string& path, Limits limits = {});

struct NpzOptions {
  bool compress = false;  ///< as np.savez_compressed()
};

/// Writes arrays by name, as np.savez() does. The file appears whole or not at all. **Throws** FormatError where
/// it cannot be written, ValueError for an empty handle or a name that is empty.
void save_npz(const std::string& path, const StateDict& arrays, NpzOptions options = {});

}  // namespace tapegrad::datasets
