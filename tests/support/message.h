// What an error says, for tests of the text that a user reads.
#pragma once
#include <string>

namespace tapegrad {

/// The text of the E that f throws.
template <class E, class F>
std::string message(F f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace tapegrad
