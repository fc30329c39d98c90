// The bytes of a .npy file, for those in a folder and those in an archive.
#pragma once
#include "datasets/bytes.h"

namespace tapegrad::datasets {

Tensor parse_npy(Reader reader);
std::string npy_header(const Tensor& x);

}  // namespace tapegrad::datasets
