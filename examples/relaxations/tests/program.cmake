# SPDX-License-Identifier: BSL-1.0

# Runs the program as a user would and reads what it prints: one case a call.
#
#     cmake -D program=... -D scratch=... -D case=... -P program.cmake

set(program_name relaxations)
set(figure "sigmoid")
include(${CMAKE_CURRENT_LIST_DIR}/../../support/program.cmake)

if(case STREQUAL "table")
  # At such a temperature every relaxation is the sort itself.
  run_well(--temperature 0.001)
  if(NOT out MATCHES "sigmoid +1\\.00 +2\\.00 +3\\.00 +4\\.00 +5\\.00")
    message(FATAL_ERROR "the ranks are not the hard ones\n${out}")
  endif()

elseif(case STREQUAL "files")
  run_well(--scores 3 1 0 --csv ${scratch}/curves.csv --picture ${scratch}/curves.gp)
  file(STRINGS ${scratch}/curves.csv lines)
  list(LENGTH lines count)
  # Eight relaxations, 61 temperatures and three items, and a header.
  if(NOT count EQUAL 1465)
    message(FATAL_ERROR "the CSV file has ${count} lines, expected 1465")
  endif()
  file(READ ${scratch}/curves.gp picture)
  if(NOT picture MATCHES "set output 'curves.svg'" OR NOT picture MATCHES "set title 'SoftSort'")
    message(FATAL_ERROR "the picture's script is\n${picture}")
  endif()

elseif(case STREQUAL "bad_input")
  expect_common_complaints()
  expect_complaint("--scores: 'nan', expected a number" --scores 1 nan)
  expect_complaint("--scores: more values are expected" --scores 1)
  expect_complaint("--temperature: '0', expected a number from" --temperature 0)

else()
  message(FATAL_ERROR "no case '${case}'")
endif()
