# Types, pointers and threads are handled in compute and below it. This finds a source file of the rooms above that chooses
# by dtype, takes a raw pointer to a tensor's numbers or cuts work for threads.
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/src/ops/* ${ROOT}/src/nn/* ${ROOT}/src/optim/* ${ROOT}/src/data/* ${ROOT}/src/train/*
     ${ROOT}/src/inspect/* ${ROOT}/src/datasets/*)
foreach(file ${files})
  file(STRINGS ${ROOT}/${file} lines REGEX "dispatch_(float|all|number)|(^|[^a-z_])(mutable_)?ptr(_or_null)?<[A-Za-z]|parallel_(rows|for)\\(")
  if(lines)
    message(SEND_ERROR "${file} does what belongs to compute: ${lines}")
  endif()
endforeach()
