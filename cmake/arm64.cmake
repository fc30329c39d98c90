# Builds for 64-bit ARM on another machine, and runs the tests there by qemu: packages g++-aarch64-linux-gnu and qemu-user, and
# fmt and GoogleTest of that architecture (libfmt-dev:arm64, libgmock-dev:arm64; else CMake fetches their sources).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Where libraries of that architecture are installed, its C library is among them, and one is not to be mixed with another.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
if(NOT EXISTS /lib/ld-linux-aarch64.so.1)
  list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -L /usr/aarch64-linux-gnu)
endif()
