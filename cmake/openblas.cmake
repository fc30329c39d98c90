# Finds an OpenBLAS of the system and makes the target tapegrad::openblas of it; none is made if there is none.
#
# The build with POSIX threads comes first, although tapegrad starts threads of its own and lets each OpenBLAS call
# run on one: it is the one that may be called from several threads at once. Debian's and Fedora's serial builds lack
# USE_LOCKING and give wrong products then, and an OpenMP build has its locks for OpenMP's threads only.
function(tapegrad_find_openblas)
  set(prefixes /opt/homebrew/opt/openblas /usr/local/opt/openblas)  # Homebrew's is not linked into its prefix
  find_path(TAPEGRAD_OPENBLAS_INCLUDE_DIR openblas_config.h PATHS ${prefixes}
            PATH_SUFFIXES openblas-pthread ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread openblas)
  # The archive before the shared library: linked in, OpenBLAS can be told in time to start no thread of its own
  # (src/kernels/gemm/gemm.cpp), and no other library of its name can take its place when the program starts.
  find_library(TAPEGRAD_OPENBLAS_LIBRARY NAMES libopenblasp.a libopenblas.a openblasp openblas PATHS ${prefixes}
               PATH_SUFFIXES openblas-pthread openblas)
  mark_as_advanced(TAPEGRAD_OPENBLAS_INCLUDE_DIR TAPEGRAD_OPENBLAS_LIBRARY)
  if(TAPEGRAD_OPENBLAS_INCLUDE_DIR AND TAPEGRAD_OPENBLAS_LIBRARY)
    file(REAL_PATH "${TAPEGRAD_OPENBLAS_LIBRARY}" real_path)
    if(real_path MATCHES "openblas-(serial|openmp)")
      message(STATUS "tapegrad: ${real_path} may not be called from several threads and is passed over")
      return()
    endif()
    add_library(tapegrad::openblas UNKNOWN IMPORTED GLOBAL)
    set_target_properties(
      tapegrad::openblas PROPERTIES IMPORTED_LOCATION "${TAPEGRAD_OPENBLAS_LIBRARY}"
                                    INTERFACE_INCLUDE_DIRECTORIES "${TAPEGRAD_OPENBLAS_INCLUDE_DIR}")
    if(TAPEGRAD_OPENBLAS_LIBRARY MATCHES "\\.a$")
      find_package(Threads REQUIRED)
      set_target_properties(tapegrad::openblas PROPERTIES INTERFACE_LINK_LIBRARIES "Threads::Threads;m")
    endif()
  endif()
endfunction()
