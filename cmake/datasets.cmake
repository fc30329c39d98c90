# What tapegrad::datasets stands on: zlib and libzip, which it needs, and libpng, without which PNG images are not read.
# After this the targets ZLIB::ZLIB, tapegrad::zip and PNG::PNG exist where the libraries do.
macro(tapegrad_find_datasets_libraries)
  find_package(ZLIB QUIET GLOBAL)
  find_package(PNG QUIET GLOBAL)
  # The package of libzip asks for its programs, which distributions keep apart, so the library is looked for itself.
  find_path(TAPEGRAD_ZIP_INCLUDE_DIR zip.h)
  find_library(TAPEGRAD_ZIP_LIBRARY zip)
  mark_as_advanced(TAPEGRAD_ZIP_INCLUDE_DIR TAPEGRAD_ZIP_LIBRARY)
  if(TAPEGRAD_ZIP_INCLUDE_DIR AND TAPEGRAD_ZIP_LIBRARY AND NOT TARGET tapegrad::zip)
    add_library(tapegrad::zip UNKNOWN IMPORTED GLOBAL)
    set_target_properties(tapegrad::zip PROPERTIES IMPORTED_LOCATION "${TAPEGRAD_ZIP_LIBRARY}"
                                                   INTERFACE_INCLUDE_DIRECTORIES "${TAPEGRAD_ZIP_INCLUDE_DIR}")
  endif()
endmacro()
