# Installs the library, its headers, the package that find_package(tapegrad) reads, its like for pkg-config and for tools that
# read CPS, and in share/tapegrad the examples with their data, the documentation and the printers for gdb.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapegrad)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS tapegrad tapegrad_train tapegrad_inspect EXPORT tapegradTargets)
install(TARGETS tapegrad-report)
install(EXPORT tapegradTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})

# Datasets are a set of their own, since they stand on libraries that are found again.
if(TARGET tapegrad_datasets)
  install(TARGETS tapegrad_datasets EXPORT tapegradDatasetsTargets)
  install(EXPORT tapegradDatasetsTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})
  install(FILES cmake/datasets.cmake DESTINATION ${package_dir})
endif()

# So is what needs an MPI, which a static library finds again.
if(TAPEGRAD_MPI)
  install(TARGETS tapegrad_mpi EXPORT tapegradMpiTargets)
  install(EXPORT tapegradMpiTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})
endif()

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

# What pkg-config says: the prefix is where the file lies, and a static library names what it stands on.
file(RELATIVE_PATH TAPEGRAD_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(TAPEGRAD_PC_LIBS "")
if(TAPEGRAD_IS_STATIC AND TAPEGRAD_OPENBLAS_ARCHIVE)
  set(TAPEGRAD_PC_LIBS " -ltapegrad_openblas -lm -pthread")
elseif(TAPEGRAD_IS_STATIC)
  set(TAPEGRAD_PC_LIBS " ${TAPEGRAD_OPENBLAS_LIBRARY} -lm -pthread")
endif()
configure_file(cmake/tapegrad.pc.in tapegrad.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tapegrad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# A further component has a file of its own, tapegrad-NAME, which asks for tapegrad's: with the packages and the libraries
# that it stands on, where it is static.
function(tapegrad_pc TAPEGRAD_PC_NAME packages libraries)
  set(TAPEGRAD_PC_REQUIRES "")
  set(TAPEGRAD_PC_LIBS "")
  if(TAPEGRAD_IS_STATIC)
    list(JOIN packages " " TAPEGRAD_PC_REQUIRES)
    list(JOIN libraries " " TAPEGRAD_PC_LIBS)
    string(PREPEND TAPEGRAD_PC_REQUIRES " ")
    string(PREPEND TAPEGRAD_PC_LIBS " ")
  endif()
  configure_file(cmake/component.pc.in tapegrad-${TAPEGRAD_PC_NAME}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/tapegrad-${TAPEGRAD_PC_NAME}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
tapegrad_pc(inspect "" "")
if(TARGET tapegrad_datasets)
  set(packages zlib libzip)
  if(TARGET PNG::PNG)
    list(APPEND packages libpng)
  endif()
  tapegrad_pc(datasets "${packages}" -pthread)
endif()
if(TAPEGRAD_MPI)
  tapegrad_pc(mpi "" "${MPI_CXX_LIBRARIES};-pthread")
endif()
# A static library stands on an OpenBLAS that is no package, which CPS cannot say.
if(CMAKE_VERSION VERSION_GREATER_EQUAL 4.3 AND NOT TAPEGRAD_IS_STATIC)
  install(PACKAGE_INFO tapegrad EXPORT tapegradTargets DEFAULT_TARGETS tapegrad LICENSE MIT)
  if(TAPEGRAD_MPI)
    install(PACKAGE_INFO tapegrad APPENDIX mpi EXPORT tapegradMpiTargets)
  endif()
  if(TAPEGRAD_TESTING_KIT)
    install(PACKAGE_INFO tapegrad APPENDIX testing EXPORT tapegradTestingTargets)
  endif()
endif()

# A prefix has what the README speaks of, in the same order of folders.
set(share_dir ${CMAKE_INSTALL_DATADIR}/tapegrad)
install(DIRECTORY docs examples DESTINATION ${share_dir})
install(FILES README.md CONTRIBUTING.md LICENSE DESTINATION ${share_dir})
install(FILES scripts/gdb/tapegrad-gdb.py DESTINATION ${share_dir}/gdb)
if(NOT TAPEGRAD_IS_STATIC)  # gdb looks there for the script of a library, by the library's whole path
  install(CODE "set(lib \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\")
    file(INSTALL \"${PROJECT_SOURCE_DIR}/scripts/gdb/tapegrad-gdb.py\" RENAME $<TARGET_FILE_NAME:tapegrad>-gdb.py
         DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/gdb/auto-load/\${lib}\")")
endif()
