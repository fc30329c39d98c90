# Configures PROJECT in BUILD with OPTIONS, builds it, runs its programs, and installs it where OPTIONS name a prefix.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE ${BUILD}/CMakeCache.txt)  # what an older run found is not asked for again
run(${CMAKE_COMMAND} -S ${PROJECT} -B ${BUILD} ${OPTIONS})
run(${CMAKE_COMMAND} --build ${BUILD} --parallel 2)
run(${BUILD}/program)
run(${BUILD}/program_test)
if(OPTIONS MATCHES "CMAKE_INSTALL_PREFIX")
  run(${CMAKE_COMMAND} --install ${BUILD})
endif()
