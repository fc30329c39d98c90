# The same two programs in either project, and the proof that nothing but what a user needs comes along.
add_executable(program ${CMAKE_CURRENT_LIST_DIR}/program.cpp)
target_link_libraries(program PRIVATE tapegrad::tapegrad)
add_executable(program_test ${CMAKE_CURRENT_LIST_DIR}/tests.cpp)
target_link_libraries(program_test PRIVATE tapegrad::train tapegrad::inspect tapegrad::testing GTest::gtest_main)

foreach(property INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_DEFINITIONS INTERFACE_LINK_OPTIONS)
  foreach(target tapegrad::tapegrad tapegrad::train tapegrad::inspect)
    get_target_property(leaked ${target} ${property})
    if(leaked)
      message(FATAL_ERROR "${target} passes ${property} on to its users: ${leaked}")
    endif()
  endforeach()
endforeach()
