# Builds OpenBLAS from source as a static library and makes the target tapegrad::openblas of it. It is a project of its own
# because it is always optimized and neither its many options nor its languages (C, assembler) belong into a user's
# project. Serial, because tapegrad has the threads; with locks, because they call it at the same time; no LAPACK and so no
# Fortran; and with the kernels of every CPU, chosen at run time.
include(ExternalProject)
FetchContent_MakeAvailable(openblas)

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/openblas)
set(TAPEGRAD_OPENBLAS_ARCHIVE ${prefix}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}openblas${CMAKE_STATIC_LIBRARY_SUFFIX})
set(TAPEGRAD_OPENBLAS_OPTIONS "" CACHE STRING "More options for OpenBLAS, such as -DDYNAMIC_LIST=HASWELL,SKYLAKEX")
set(dynamic_arch ON)
if(MSVC)
  set(dynamic_arch OFF)  # its kernels are assembler in GNU's syntax
endif()
ExternalProject_Add(
  tapegrad_openblas_build
  SOURCE_DIR ${openblas_SOURCE_DIR}
  PREFIX ${CMAKE_CURRENT_BINARY_DIR}/openblas-build
  CMAKE_ARGS -DCMAKE_INSTALL_PREFIX=${prefix}
             -DCMAKE_INSTALL_LIBDIR=lib
             -DCMAKE_BUILD_TYPE=Release
             -DCMAKE_POSITION_INDEPENDENT_CODE=ON
             -DCMAKE_POLICY_VERSION_MINIMUM=3.5
             -DBUILD_SHARED_LIBS=OFF
             -DBUILD_TESTING=OFF
             -DBUILD_WITHOUT_LAPACK=ON
             -DNOFORTRAN=ON
             -DUSE_THREAD=OFF
             -DUSE_LOCKING=ON
             -DDYNAMIC_ARCH=${dynamic_arch}
             ${TAPEGRAD_OPENBLAS_OPTIONS}
  BUILD_BYPRODUCTS ${TAPEGRAD_OPENBLAS_ARCHIVE})

file(MAKE_DIRECTORY ${prefix}/include/openblas)  # CMake wants it to exist before it is filled
add_library(tapegrad::openblas STATIC IMPORTED GLOBAL)
set_target_properties(tapegrad::openblas PROPERTIES IMPORTED_LOCATION ${TAPEGRAD_OPENBLAS_ARCHIVE}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include/openblas)
add_dependencies(tapegrad::openblas tapegrad_openblas_build)
