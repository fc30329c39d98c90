// Images for small programs: PGM and PPM, and PNG where tapegrad was built with libpng.
#pragma once
#include <string>

#include <tapegrad/datasets/limits.h>
#include <tapegrad/tensor.h>

namespace tapegrad::datasets {

/// The image in a file, float32 [C, H, W] in [0, 1]: C is 1 for grey, 3 for red, green, blue, in a PNG also 2 or 4 with
/// how opaque a pixel is. What the file begins with says which format it has: P2, P5 (PGM), P3, P6 (PPM), PNG.
///
///     const Tensor x = datasets::load_image("digit.png");       // 1 - x where ink is black on white
///
/// A PNG of a palette becomes colours, one of 16 bits a sample is rounded to 8. Gamma is not looked at.
///
/// **Throws** FormatError with file and reason: for a file that cannot be read, another format, a header that does not
/// agree with the bytes that follow, which is checked before memory is taken, a wrong checksum, and an image of more
/// than `most_bytes` samples.
[[nodiscard]] Tensor load_image(const std::string& path, Limits limits = {});

/// Writes an image, [H, W] or [C, H, W] in [0, 1], in 8 bits a sample, as the name ends: .pgm with C = 1, .ppm with C = 3,
/// .png with C from 1 to 4. The file appears whole or not at all. **Throws** ValueError for another ending, a shape
/// that it cannot hold and for a sample outside [0, 1], DtypeError unless x is floating, FormatError where it cannot be
/// written.
void save_image(const std::string& path, const Tensor& x);

}  // namespace tapegrad::datasets
