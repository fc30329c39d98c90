// What tapegrad throws. Every mistake that a program can make ends in one of these, before anything is
// changed; the text is one line: where (operation, or path and type of the module), the rule with the values
// that broke it, and a hint where the cure is known.
#pragma once
#include <stdexcept>
#include <string>

namespace tapegrad {

/// The base of all: catch this to catch whatever tapegrad throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Shapes, sizes or axes that do not fit together.
struct ShapeError : Error {
  using Error::Error;
};

/// A dtype that an operation does not take, or two that differ: float32 and float64 never mix silently.
struct DtypeError : Error {
  using Error::Error;
};

/// An index, a label or an axis outside its range.
struct IndexError : Error {
  using Error::Error;
};

/// An argument whose value makes no sense: a negative learning rate, a probability of 2.
struct ValueError : Error {
  using Error::Error;
};

/// A wrong use of the tape: backward twice, on what was not recorded, on a value changed since.
struct AutogradError : Error {
  using Error::Error;
};

/// A file that is not what it should be; names file and place.
struct FormatError : Error {
  using Error::Error;
};

}  // namespace tapegrad
