#include <tapegrad/dtype.h>

namespace tapegrad {

const char* name(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32: return "float32";
    case Dtype::float64: return "float64";
    case Dtype::int64: return "int64";
    case Dtype::boolean: return "boolean";
  }
  return "?";
}

}  // namespace tapegrad
