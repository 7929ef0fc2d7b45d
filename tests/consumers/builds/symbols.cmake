# SPDX-License-Identifier: BSL-1.0

# No two of the objects define the same weak symbol of rankloss: of those the linker keeps one, whichever it meets first.
#
#     cmake -D nm=nm "-D objects=a.o;b.o" -P symbols.cmake
cmake_minimum_required(VERSION 3.25)

set(faults 0)
foreach(object IN LISTS objects)
  execute_process(COMMAND ${nm} --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+ [VWu] [^\n]*8rankloss[^\n]*" symbols "${symbols}")
  list(LENGTH symbols count)
  message(STATUS "${object}: ${count} weak symbols of rankloss")
  if(count LESS 50)
    message(FATAL_ERROR "${object}: ${count} weak symbols of rankloss, expected more: is this the right object?")
  endif()
  foreach(symbol IN LISTS symbols)
    string(REGEX REPLACE "^.* [VWu] " "" symbol "${symbol}")
    if(DEFINED "owner_${symbol}")
      message(SEND_ERROR "${symbol}\n  is in ${owner_${symbol}} and in ${object}")
    endif()
    set("owner_${symbol}" ${object})
  endforeach()
endforeach()
