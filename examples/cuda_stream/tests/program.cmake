# SPDX-License-Identifier: BSL-1.0

# Runs the program as a user would and reads what it prints: one case a call.
#
#     cmake -D program=... -D scratch=... -D case=... [-D emulated=FOLDER] -P program.cmake

set(program_name cuda_stream)
set(figure "loss in training")
include(${CMAKE_CURRENT_LIST_DIR}/../../support/program.cmake)

# An emulator has no graphs, and adds a line of its own on standard error.
set(small --lists 8 --items 12 --features 3 --steps 20)
if(emulated)
  list(APPEND small --eager)
endif()
function(train)
  run(${small} ${ARGN})
  if(NOT code STREQUAL "0" OR NOT (err STREQUAL "" OR (emulated AND err MATCHES "^[^\n]*: no findings[^\n]*\n$")))
    message(FATAL_ERROR "${ARGN}: exit code ${code}, expected 0 and nothing on standard error\n${out}${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

if(case STREQUAL "training")
  train()
  message("${out}")
  if(NOT out MATCHES "loss of held-out lists: ([0-9.]+) before, ([0-9.]+) after")
    message(FATAL_ERROR "no losses of held-out lists in\n${out}")
  endif()
  if(NOT CMAKE_MATCH_2 LESS CMAKE_MATCH_1)
    message(FATAL_ERROR "training has not lowered the loss\n${out}")
  endif()
  set(once "${out}")
  train()
  if(NOT out STREQUAL once)
    message(FATAL_ERROR "the same training has other numbers\n${once}${out}")
  endif()
  train(--seed 2)
  if(out STREQUAL once)
    message(FATAL_ERROR "another seed has the same numbers\n${out}")
  endif()
  if(NOT emulated)
    train(--eager)
    string(REPLACE "queued one by one" "replayed from a graph" out "${out}")
    if(NOT out STREQUAL once)
      message(FATAL_ERROR "steps of a graph have other numbers than steps by themselves\n${once}${out}")
    endif()
  endif()

elseif(case STREQUAL "bad_input")
  expect_complaint("unknown option --nonsense [(]--help lists the options[)]" --nonsense)
  expect_complaint("unknown option --step, did you mean --steps[?]" --step 3)
  expect_complaint("'stray' belongs to no option" stray)
  expect_complaint("--steps: '0', expected a whole number from 1" --steps 0)
  expect_complaint("expected a product of at most 100000000" --lists 100000 --items 10000)

else()
  message(FATAL_ERROR "no case '${case}'")
endif()
