# SPDX-License-Identifier: BSL-1.0

# What the tests of the examples' programs share: they run a program as a user would and read what it prints. Included by their program.cmake,
# with `program` and `scratch` set, and
#
#     program_name   as it names itself in complaints
#     figure         a column of the table: what rows are compared by
#     figure_after   a pattern of what comes between a row's name and that figure
#     figure_before  and of what comes after it

set(folder_of_all "$ENV{RANKLOSS_DATA}")
unset(ENV{RANKLOSS_DATA})

function(run)
  execute_process(COMMAND ${program} ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
  set(out "${out}" PARENT_SCOPE)
  set(err "${err}" PARENT_SCOPE)
  set(code "${code}" PARENT_SCOPE)
endfunction()

function(run_well)
  run(${ARGN})
  if(NOT code STREQUAL "0" OR NOT err STREQUAL "")
    message(FATAL_ERROR "${ARGN}: exit code ${code}, expected 0 and nothing on standard error\n${out}${err}")
  endif()
  message("${out}")
  set(out "${out}" PARENT_SCOPE)
endfunction()

# The figure of a row of the table.
function(figure_of name variable)
  if(NOT out MATCHES "\n${name} +${figure_after}([0-9]+\\.[0-9]+)${figure_before}")
    message(FATAL_ERROR "no row '${name}' in\n${out}")
  endif()
  set(${variable} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()

function(expect_better name than)
  figure_of(${name} better)
  figure_of(${than} worse)
  if(NOT better GREATER worse)
    message(FATAL_ERROR "${figure} of ${name} is ${better}, expected more than the ${worse} of ${than}")
  endif()
endfunction()

# One line on standard error that matches, nothing of a table, and a failing exit code.
function(expect_complaint pattern)
  run(${ARGN})
  if(code STREQUAL "0")
    message(FATAL_ERROR "${ARGN}: exit code 0, expected a failure\n${out}")
  endif()
  if(NOT err MATCHES "^${program_name}: [^\n]*${pattern}[^\n]*\n$")
    message(FATAL_ERROR "${ARGN}: said\n${err}expected one line with '${pattern}'")
  endif()
  if(out MATCHES "${figure} ")
    message(FATAL_ERROR "${ARGN}: printed a table all the same\n${out}")
  endif()
endfunction()

# What every example says of a wrong command line and of places that cannot be written.
function(expect_common_complaints)
  expect_complaint("unknown option --nonsense [(]--help lists the options[)]" --nonsense)
  expect_complaint("unknown option --pictur, did you mean --picture[?]" --pictur x.gp)
  expect_complaint("'stray' belongs to no option" stray)
  expect_complaint("--csv: a value is missing" --csv)
  expect_complaint("table.csv: cannot be written, there is no folder" --csv ${scratch}/nowhere/table.csv)
  expect_complaint("table.gp: cannot be written, there is no folder" --picture ${scratch}/nowhere/table.gp)
  expect_complaint("cannot be written, it is a folder" --csv ${scratch})
  expect_complaint("two files of this name" --csv ${scratch}/same --picture ${scratch}/same)
  expect_complaint("would hold a gnuplot script" --picture ${scratch}/table.svg)
  file(GLOB left ${scratch}/*.part-*)
  if(left)
    message(FATAL_ERROR "left behind: ${left}")
  endif()
  run_well(--help)
  foreach(part "Example:\n  ${program_name} " "\nData:\n" "--csv FILE" "--picture FILE")
    if(NOT out MATCHES "${part}")
      message(FATAL_ERROR "no '${part}' in the help\n${out}")
    endif()
  endforeach()
endfunction()

file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})
