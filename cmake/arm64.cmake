# Builds for 64-bit ARM on another machine, and runs the tests there by qemu: packages g++-aarch64-linux-gnu and qemu-user, and
# fmt and GoogleTest of that architecture (libfmt-dev:arm64, libgmock-dev:arm64; else CMake fetches their sources).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
