#pragma once

namespace tapegrad {

/// Exact mode: the same bits on every CPU and with every compiler. Off at first, or on where the environment has
/// TAPEGRAD_EXACT=1.
///
/// Everything but matrix products is the same on every CPU in either mode: each sum has an order that the shape
/// decides, a * b + c is rounded twice, and exp, log, tanh and the like of float32 are tapegrad's own. A product goes
/// to the code that is fastest on this CPU. In exact mode it is one chain of fused multiply-adds over k for each
/// element, cut into the same pieces everywhere; a CPU without that instruction computes the same bits, slowly.
///
/// It holds for float32, for any number of threads, on x86-64 and arm64. In float64 exp, tanh, erf, sin and cos are
/// those of the C library. docs/reproducible.md says what is promised in which mode, and why not more.
///
/// For the whole process; call it before the first product.
void set_exact(bool exact);

/// Whether exact mode is on.
bool is_exact();

}  // namespace tapegrad
