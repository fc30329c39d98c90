# Installs the library, its headers and the package that find_package(tapegrad) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapegrad)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS tapegrad tapegrad_train EXPORT tapegradTargets)
install(EXPORT tapegradTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})

# The kit is a set of its own: a user without GoogleTest still finds the library.
if(TAPEGRAD_TESTING_KIT)
  install(TARGETS tapegrad_testing EXPORT tapegradTestingTargets)
  install(EXPORT tapegradTestingTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})
endif()

# A static library does not contain OpenBLAS: one built from source is installed beside it, one of the system is
# found again.
get_target_property(type tapegrad TYPE)
set(TAPEGRAD_IS_STATIC OFF)
if(type STREQUAL "STATIC_LIBRARY")
  set(TAPEGRAD_IS_STATIC ON)
endif()
if(TAPEGRAD_IS_STATIC AND TAPEGRAD_BLAS)
  install(FILES cmake/openblas.cmake DESTINATION ${package_dir})
  if(TAPEGRAD_OPENBLAS_ARCHIVE)
    install(FILES ${TAPEGRAD_OPENBLAS_ARCHIVE} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libtapegrad_openblas.a)
  endif()
endif()

configure_package_config_file(cmake/tapegradConfig.cmake.in ${PROJECT_BINARY_DIR}/tapegradConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tapegradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tapegradConfig.cmake ${PROJECT_BINARY_DIR}/tapegradConfigVersion.cmake
        DESTINATION ${package_dir})
