# Configures PROJECT in BUILD with OPTIONS, builds and runs PROGRAMS, and installs it where OPTIONS name a prefix.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE ${BUILD}/CMakeCache.txt)  # what an older run found is not asked for again
run(${CMAKE_COMMAND} -S ${PROJECT} -B ${BUILD} ${OPTIONS})
if(NOT PROGRAMS)
  set(PROGRAMS program program_test)
  run(${CMAKE_COMMAND} --build ${BUILD} --parallel 2)
else()
  run(${CMAKE_COMMAND} --build ${BUILD} --parallel 2 --target ${PROGRAMS})
endif()
foreach(program ${PROGRAMS})
  run(${BUILD}/${program})
endforeach()
if(OPTIONS MATCHES "CMAKE_INSTALL_PREFIX")
  run(${CMAKE_COMMAND} --install ${BUILD})
endif()
