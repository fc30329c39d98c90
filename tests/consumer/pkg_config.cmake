# Compiles program.cpp as one does in a shell, with what PKG_CONFIG says of tapegrad in PREFIX, runs it, and has GDB print a tensor;
# and a program for each further component.
if(NOT PKG_CONFIG)
  message("skipped: there is no pkg-config")
  return()
endif()
set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig:$ENV{PKG_CONFIG_PATH})
function(compile_and_run program package to)
  execute_process(COMMAND sh -c "${COMPILER} -std=c++20 -g ${CMAKE_CURRENT_LIST_DIR}/${program}.cpp \
    $(${PKG_CONFIG} --cflags --libs ${package}) -o ${to} && ${to}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
compile_and_run(program tapegrad ${PROGRAM})
compile_and_run(inspect tapegrad-inspect ${PROGRAM}_inspect)
foreach(component datasets mpi)
  if(EXISTS ${PREFIX}/${LIBDIR}/pkgconfig/tapegrad-${component}.pc)
    compile_and_run(${component} tapegrad-${component} ${PROGRAM}_${component})
  endif()
endforeach()

if(GDB)
  execute_process(COMMAND ${GDB} -q -batch -nx -ex "source ${PREFIX}/${SHARE}/gdb/tapegrad-gdb.py"
    -ex "tbreak tapegrad::train::accuracy" -ex run -ex up -ex "print loss" ${PROGRAM}
    OUTPUT_VARIABLE printed ERROR_VARIABLE problems)
  if(problems MATCHES "ptrace|Python scripting is not supported")
    message("skipped: gdb may not trace here, or has no Python")
  elseif(NOT printed MATCHES "= float32 \\[\\] -?[0-9.e-]+\n")
    message(FATAL_ERROR "gdb does not show the tensor:\n${printed}\n${problems}")
  endif()
endif()
