# SPDX-License-Identifier: BSL-1.0

# Runs the program as a user would and reads what it prints: one case a call.
#
#     cmake -D program=... -D data=... -D scratch=... -D case=... -P program.cmake

set(program_name cross_modal_retrieval)
set(figure "mAP")
set(figure_after "")
set(figure_before " ")
include(${CMAKE_CURRENT_LIST_DIR}/../../support/program.cmake)
set(emoji ${CMAKE_CURRENT_LIST_DIR}/../../image_text_retrieval/data)

if(case STREQUAL "few_steps")
  # One epoch from random weights on the emoji that come along beats chance.
  set(losses contrastive triplet_all sndcg smooth_ap neural_ndcg_unscaled)
  run_well(--seeds 1 --epochs 1 --start random --temperatures 0.1 --rates 2e-3 --loss ${losses}
           --csv ${scratch}/table.csv
           --picture ${scratch}/curves.gp)
  expect_better(CCA chance)
  foreach(loss IN LISTS losses)
    expect_better(${loss} chance)
  endforeach()
  file(STRINGS ${scratch}/table.csv lines)
  list(LENGTH lines count)
  if(NOT count EQUAL 8)
    message(FATAL_ERROR "the table has ${count} lines, expected a header, chance, CCA and five losses")
  endif()
  file(READ ${scratch}/curves.gp picture)
  if(NOT picture MATCHES "set output 'curves.svg'" OR NOT picture MATCHES "Learning curve")
    message(FATAL_ERROR "the picture's script is\n${picture}")
  endif()
  file(GLOB left ${scratch}/*.part*)
  if(left)
    message(FATAL_ERROR "left behind: ${left}")
  endif()

elseif(case STREQUAL "threads")
  set(options --seeds 2 --epochs 1 --temperatures 0.1 --rates 1e-3 --loss sndcg neural_ndcg_unscaled)
  run_well(${options} --threads 1)
  string(REGEX REPLACE " +[0-9.]+ s " " " one "${out}")
  run_well(${options} --threads 3)
  string(REGEX REPLACE " +[0-9.]+ s " " " three "${out}")
  if(NOT one STREQUAL three)
    message(FATAL_ERROR "the results depend on the number of threads")
  endif()

elseif(case STREQUAL "wikipedia")
  if(NOT EXISTS "${folder_of_all}/wikipedia")
    message("skipped: RANKLOSS_DATA names no folder with wikipedia in it")
    return()
  endif()
  run_well(--data ${folder_of_all} --set wikipedia --seeds 1 --temperatures 0.1 --rates 2e-3
           --loss smooth_ap neural_ndcg_unscaled)
  expect_better(CCA chance)
  foreach(loss smooth_ap neural_ndcg_unscaled)
    expect_better(${loss} CCA)
  endforeach()

elseif(case STREQUAL "bad_input")
  expect_common_complaints()
  expect_complaint("--epochs" --epochs 0)
  expect_complaint("--loss.*neural_ndcg" --loss hinge)
  expect_complaint("did you mean smooth_ap" --loss smoothap)
  expect_complaint("--set.*wikipedia" --set coco)
  expect_complaint("--start.*random" --start middle)
  expect_complaint("--temperatures" --temperatures 0)
  expect_complaint("--rates" --rates fast)
  expect_complaint("nowhere: no such folder, expected" --data ${scratch}/nowhere)
  expect_complaint("expected one of them" --data ${scratch})
  expect_complaint("--set wikipedia: no data" --set wikipedia)
  expect_complaint("holds no wikipedia" --data ${emoji} --set wikipedia)
  expect_complaint("has no topics" --data ${emoji} --grades topics)

else()
  message(FATAL_ERROR "no case '${case}'")
endif()
