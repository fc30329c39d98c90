# Shared by the scripts, which source it: finds what a build needs, installs what is missing, configures and builds.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
cores() { nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2; }

# The newest Clang here, or nothing: distributions name it clang++-14.
find_clang() {
  local version
  for version in '' -21 -20 -19 -18 -17 -16 -15 -14; do
    if has "clang++$version"; then echo "clang++$version"; return; fi
  done
}

compiler() {
  local candidate
  for candidate in "${CXX:-}" c++ g++ "$(find_clang)"; do
    if [ -n "$candidate" ] && has "$candidate"; then echo "$candidate"; return; fi
  done
}

# has_header HEADER: the compiler finds it, also where Homebrew and Fedora keep it.
has_header() {
  local cxx flags=(-I/usr/include/openblas)
  cxx=$(compiler)
  [ -n "$cxx" ] || return 1
  if has brew; then flags+=(-I"$(brew --prefix)/include" -I"$(brew --prefix)/opt/openblas/include"); fi
  printf '#include <%s>\n' "$1" | "$cxx" -std=c++20 -E -x c++ "${flags[@]}" - >/dev/null 2>&1
}

new_enough_cmake() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p') || return 1
  [ "$(printf '3.25\n%s\n' "$version" | sort -V | head -n 1)" = 3.25 ]
}

# missing_things: the names of what is not here, from this table. Each name is translated to a package below.
missing_things() {
  [ -n "$(compiler)" ] || echo compiler
  new_enough_cmake || echo cmake
  has ninja || echo ninja
  has_header openblas_config.h || echo openblas
  has_header fmt/core.h || echo fmt
  has_header gmock/gmock.h || echo googletest
  has_header nlohmann/json.hpp || echo json
  has_header zlib.h || echo zlib
  has_header zip.h || echo libzip
  has_header png.h || echo libpng
}

package_of() {  # package_of MANAGER THING
  case $1:$2 in
    apt-get:compiler) echo g++ ;;
    apt-get:ninja | dnf:ninja) echo ninja-build ;;
    apt-get:openblas) echo libopenblas-pthread-dev ;;
    apt-get:fmt) echo libfmt-dev ;;
    apt-get:googletest) echo libgtest-dev libgmock-dev ;;
    apt-get:json) echo nlohmann-json3-dev ;;
    apt-get:zlib) echo zlib1g-dev ;;
    apt-get:libzip | apt-get:libpng) echo "$2-dev" ;;
    dnf:compiler) echo gcc-c++ ;;
    dnf:openblas | dnf:fmt | dnf:json | dnf:zlib | dnf:libzip | dnf:libpng) echo "$2-devel" ;;
    dnf:googletest) echo gtest-devel gmock-devel ;;
    pacman:compiler) echo gcc ;;
    pacman:googletest) echo gtest ;;
    pacman:json | brew:json) echo nlohmann-json ;;
    brew:compiler) echo llvm ;;
    *) echo "$2" ;;
  esac
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {  # install_packages MANAGER PACKAGE...
  local manager=$1
  shift
  if [ "$manager" != brew ] && [ "$(id -u)" != 0 ] && ! has sudo; then
    say "no sudo to install: $*"
    return 1
  fi
  say "installing $* with $manager"
  case $manager in
    apt-get)
      as_root apt-get update -q >/dev/null || true
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >/dev/null
      ;;
    dnf) as_root dnf install -y -q "$@" ;;
    pacman) as_root pacman -Sy --needed --noconfirm "$@" ;;
    brew) brew install --quiet "$@" ;;
  esac
}

package_manager() {
  local manager
  for manager in apt-get dnf pacman brew; do
    if has "$manager"; then echo "$manager"; return; fi
  done
}

# Installs what is missing; with everything there it does nothing. A library that cannot be installed is no failure:
# CMake fetches its source then.
install_missing() {
  local things manager packages
  things=$(missing_things)
  if [ -n "$things" ]; then
    manager=$(package_manager)
    if [ -n "$manager" ]; then
      packages=$(for thing in $things; do package_of "$manager" "$thing"; done)
      # shellcheck disable=SC2086  # one word a package
      install_packages "$manager" $packages || say "not everything could be installed; going on without"
    fi
  fi
  [ -n "$(compiler)" ] || die "needs a C++20 compiler: GCC 12, Clang 14 or newer"
  new_enough_cmake || install_cmake_from_pip || die "needs CMake 3.25 or newer; found: $(cmake --version 2>&1 | head -n 1)"
}

# Distributions older than 2023 have an older CMake; Python's package index has a new one.
install_cmake_from_pip() {
  has python3 || return 1
  say "installing CMake into build/tools"
  python3 -m venv "$root/build/tools" && "$root/build/tools/bin/pip" install -q 'cmake>=3.25' ninja || return 1
  PATH=$root/build/tools/bin:$PATH
  new_enough_cmake
}

# configure PRESET [CMAKE ARGUMENT...]
configure() {
  local preset=$1 generator=()
  shift
  if has ccache; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi
  has ninja || generator=(-G 'Unix Makefiles')
  if [[ $preset =~ ^(clang|fuzz)$ ]] && ! has clang++; then set -- -DCMAKE_CXX_COMPILER="$(find_clang)" "$@"; fi
  (cd "$root" && cmake --preset "$preset" "${generator[@]+"${generator[@]}"}" "$@")
}

build() {  # build PRESET [TARGET...]
  local preset=$1
  shift
  cmake --build "$root/build/$preset" --parallel "$(cores)" ${1:+--target "$@"}
}
