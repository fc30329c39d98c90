# The compiler options of tapegrad's own targets. All are private: none reaches a user's compiler.

# Warnings, and in a debug build fresh memory full of signalling NaN, so that a value that is read before it is
# written shows.
function(tapegrad_options target)
  target_compile_definitions(${target} PRIVATE $<$<CONFIG:Debug>:TAPEGRAD_DEBUG_MEMORY>)
  # GCC 12 raises two false alarms about std::string's operator+; Clang reports each loop that it was allowed to
  # vectorize and did not.
  target_compile_options(
    ${target} PRIVATE -Wall -Wextra -Wno-psabi $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-stringop-overflow>
                      $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
endfunction()

# Options of the library. A kernel that is not optimized is no kernel, so a build with no build type is optimized
# as well; Debug and MinSizeRel stay what they say. Loops over sqrt and comparisons are vectorized only if they need
# not set errno or keep the trap flags; neither changes a value, unlike -ffast-math. A compiler that could fuse a * b + c
# anywhere is told not to, so that results do not depend on it; kernels fuse where they say so (src/kernels/vector/simd.h).
function(tapegrad_optimize target)
  set(unfused -ffp-contract=off)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(unfused)  # the plain instruction set has nothing that fuses
  endif()
  target_compile_options(
    ${target} PRIVATE $<$<OR:$<CONFIG:Release,RelWithDebInfo>,$<CONFIG:>>:-O3> -fno-math-errno -fno-trapping-math
                      -fno-semantic-interposition ${unfused})
endfunction()

# Compiles HEADERs once for all sources of the target. Not under ccache, which keeps no object that was compiled so.
function(tapegrad_precompile target)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()
