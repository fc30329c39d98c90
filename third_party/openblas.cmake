# Builds OpenBLAS from source as a static library and makes the target tapegrad::openblas of it. It is a project of its own
# because it is always optimized and neither its many options nor its languages (C, assembler) belong into a user's
# project. Serial, because tapegrad has the threads; with locks, because they call it at the same time; no LAPACK and so no
# Fortran; no complex numbers; and with the kernels of many CPUs, chosen at run time.
include(ExternalProject)
FetchContent_MakeAvailable(openblas)

# Each CPU adds to the time to build. The oldest of an architecture is always there; SKYLAKEX, once it is compiled on such
# a machine, may not be missing (its product of small matrices is called without a look at the list).
set(cpus "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(cpus NEHALEM SANDYBRIDGE HASWELL ZEN SKYLAKEX)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(cpus CORTEXA57 CORTEXA72 NEOVERSEN1 NEOVERSEV1)
endif()
set(TAPEGRAD_OPENBLAS_CPUS "${cpus}" CACHE STRING "The CPUs that a fetched OpenBLAS has kernels for; none: all of them")
string(REPLACE ";" "|" cpus "${TAPEGRAD_OPENBLAS_CPUS}")

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/openblas)
set(TAPEGRAD_OPENBLAS_ARCHIVE ${prefix}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}openblas${CMAKE_STATIC_LIBRARY_SUFFIX})
ExternalProject_Add(
  tapegrad_openblas_build
  SOURCE_DIR ${openblas_SOURCE_DIR}
  PREFIX ${CMAKE_CURRENT_BINARY_DIR}/openblas-build
  LIST_SEPARATOR |
  CMAKE_ARGS -DCMAKE_INSTALL_PREFIX=${prefix}
             -DCMAKE_INSTALL_LIBDIR=lib
             -DCMAKE_BUILD_TYPE=Release
             -DCMAKE_POSITION_INDEPENDENT_CODE=ON
             -DCMAKE_POLICY_VERSION_MINIMUM=3.5 # for CMake 4
             -DCMAKE_Fortran_COMPILER_ID=none # CMake 4 does not take the empty one in its tests
             -DBUILD_SHARED_LIBS=OFF
             -DBUILD_TESTING=OFF
             -DBUILD_WITHOUT_LAPACK=ON
             -DBUILD_SINGLE=ON
             -DBUILD_DOUBLE=ON
             -DNOFORTRAN=ON
             -DUSE_THREAD=OFF
             -DUSE_LOCKING=ON
             -DDYNAMIC_ARCH=ON
             -DDYNAMIC_LIST=${cpus}
  BUILD_COMMAND ${CMAKE_COMMAND} --build <BINARY_DIR> --config Release --parallel --target openblas_static
  INSTALL_COMMAND ${CMAKE_COMMAND} --install <BINARY_DIR> --config Release
  BUILD_BYPRODUCTS ${TAPEGRAD_OPENBLAS_ARCHIVE})

file(MAKE_DIRECTORY ${prefix}/include/openblas)  # CMake wants it to exist before it is filled
add_library(tapegrad::openblas STATIC IMPORTED GLOBAL)
set_target_properties(tapegrad::openblas PROPERTIES IMPORTED_LOCATION ${TAPEGRAD_OPENBLAS_ARCHIVE}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include/openblas)
add_dependencies(tapegrad::openblas tapegrad_openblas_build)
