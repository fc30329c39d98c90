# What stands on the framework, each a library that only a program that asks for it links: tapegrad::NAME.

# The library tapegrad::NAME from src/ROOM, with what it links besides tapegrad, which its users need not see.
function(tapegrad_component name room)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "_main\\.cpp$")
  add_library(tapegrad_${name} ${sources})
  add_library(tapegrad::${name} ALIAS tapegrad_${name})
  tapegrad_options(tapegrad_${name})
  target_include_directories(tapegrad_${name} PRIVATE src)
  target_link_libraries(tapegrad_${name} PUBLIC tapegrad PRIVATE ${ARGN})
  set_target_properties(tapegrad_${name} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION 0.1
                                                    POSITION_INDEPENDENT_CODE ON INSTALL_RPATH "$ORIGIN")
endfunction()

# What a training loop shows and keeps. tapegrad.h includes its header, so tapegrad passes it on to the linker: a program takes
# what it uses of it out of the archive, and the framework's own archive has none of it.
tapegrad_component(train train)
target_link_libraries(tapegrad INTERFACE tapegrad_train)

# What shows a network while it learns.
tapegrad_component(inspect inspect $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
target_compile_definitions(tapegrad_inspect PRIVATE TAPEGRAD_VERSION="${PROJECT_VERSION}")
add_executable(tapegrad-report src/inspect/report_main.cpp)
tapegrad_options(tapegrad-report)
target_link_libraries(tapegrad-report PRIVATE tapegrad_inspect)
set_target_properties(tapegrad-report PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

# Formats that need a library of their own, and data from disk.
if(TAPEGRAD_DATASETS)
  include(cmake/datasets.cmake)
  tapegrad_find_datasets_libraries()
  if(NOT TARGET ZLIB::ZLIB OR NOT TARGET tapegrad::zip)
    message(STATUS "tapegrad: tapegrad::datasets is not built: it needs zlib and libzip, which are not installed")
  elseif(NOT TARGET PNG::PNG)
    message(STATUS "tapegrad: tapegrad::datasets reads no PNG images: libpng is not installed")
  endif()
endif()
if(TARGET ZLIB::ZLIB AND TARGET tapegrad::zip)
  tapegrad_component(datasets datasets ZLIB::ZLIB tapegrad::zip Threads::Threads
                     $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
  if(TARGET PNG::PNG)
    target_link_libraries(tapegrad_datasets PRIVATE PNG::PNG)
    target_compile_definitions(tapegrad_datasets PRIVATE TAPEGRAD_PNG)
  endif()
endif()

# Training on several processes.
if(TAPEGRAD_MPI)
  find_package(MPI REQUIRED COMPONENTS CXX)
  tapegrad_component(mpi distributed MPI::MPI_CXX Threads::Threads)
endif()

# The helpers for GoogleTest; always static, since they are part of a test program.
if(TAPEGRAD_TESTING_KIT)
  file(GLOB testing_sources CONFIGURE_DEPENDS src/testing/*.cpp)
  add_library(tapegrad_testing STATIC ${testing_sources})
  add_library(tapegrad::testing ALIAS tapegrad_testing)
  tapegrad_options(tapegrad_testing)
  target_include_directories(tapegrad_testing PRIVATE src)
  target_link_libraries(tapegrad_testing PUBLIC tapegrad GTest::gtest GTest::gmock)
  set_target_properties(tapegrad_testing PROPERTIES EXPORT_NAME testing POSITION_INDEPENDENT_CODE ON)
endif()
