// The state of any recurrent layer or cell as a list: {h}, or {h, c} of an LSTM.
#pragma once
#include <tapegrad/tapegrad.h>

#include <type_traits>

namespace tapegrad {

inline Tensors state_parts(const Tensor& h) {
  return {h};
}
inline Tensors state_parts(const nn::LSTMState& state) {
  return {state.h, state.c};
}

/// The state made of its parts; zeros for an empty list.
template <class State>
State make_state(const Tensors& parts) {
  if (parts.empty()) return {};
  if constexpr (std::is_same_v<State, Tensor>)
    return parts[0];
  else
    return {parts[0], parts[1]};
}

}  // namespace tapegrad
