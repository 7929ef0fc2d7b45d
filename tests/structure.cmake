# SPDX-License-Identifier: BSL-1.0

# One name, one place: for each public header the umbrella's line, the row in docs/headers.md, the test and, in docs/losses.md, a loss's row in the table or a metric's
# name; for each header of detail/ the test; for each engine its face. And floors: no header includes one of a higher floor. Names all that is
# missing or runs upwards.
#
#     cmake -D root=$PWD -P tests/structure.cmake
cmake_minimum_required(VERSION 3.25)

# Headers that docs/losses.md has nothing to say of.
set(frame arrays batch context distance embedding_batch evaluate relevance_tiles vectors gain loss matrix_view options random ranks/rank sorts/sort strided threads workspace)
list(APPEND frame data/svmlight data/trec hosts/eigen hosts/xtensor) # they read data or arrays, for losses and metrics alike
# Headers of no loss: named there, without a row. Metrics are too.
set(without_row embedding_memory gradient_cache late_interaction relaxed_list relevance_scores)
# Headers that need Eigen: whoever includes the umbrella may have none.
set(not_in_umbrella embedding_batch)
# What the one verb takes is tested with it.
set(tested_with_another batch ranks/rank sorts/sort)
# Headers of detail/ that hold nothing that could be wrong by itself.
set(only_declares base/abi base/host_device base/precision base/tuning lists/list_source pairs/pair_kernel pairs/sorted_items)
# HEADER:TEST of those of detail/ whose test has another name: that of what they were made for.
set(tested_by
    arrays/host_memory:arrays
    base/loops:detail/sorting/argsort
    base/softplus:detail/draws/query_sums
    data/best_match:metrics/recall
    data/extremes:detail/simd/lanes
    data/relevant_items:metrics/recall
    embeddings/embedding_shapes:embedding_batch
    embeddings/gradient_sums:embedding_batch
    embeddings/query_steps:embedding_batch
    gains/fill_gains:gain
    gains/gain_unit:gain
    gains/list_gains:metrics/ndcg
    gains/rank_terms:smooth_metric
    gains/tied_dcg:metrics/ndcg
    gains/tied_stops:metrics/expected_reciprocal_rank
    lists/across_lists:detail/lists/interleaved_softmax
    lists/batch_source:evaluate
    lists/best_matches:metrics/retrieval
    lists/matrix_source:detail/lists/similarity_run
    lists/output_sink:detail/lists/list_run
    pairs/window_pairs:detail/pairs/pair_scan
    pairs/gain_difference:pairs/weight
    pairs/ordered_items:pairs/weight
    pairs/pair_states:detail/pairs/pair_scan
    pairs/pair_walk:detail/pairs/pair_scan
    pairs/pair_piece:detail/pairs/pair_scan
    pairs/triplet_hinges:triplet
    pairs/triplet_sides:detail/pairs/triplet_pairs
    pairs/near_numbers:pairs/weight
    pairs/weight_channels:pairs/weight
    pairs/window_weights:detail/pairs/pair_scan
    sigmoid/cell_series:detail/sigmoid/cell_sums
    sigmoid/decay_rows:detail/sorting/sorted_rows
    sigmoid/kernel_terms:detail/sigmoid/sorted_sums
    sigmoid/distance_sums:sorts/soft_sort
    sigmoid/laplace_threshold:sorts/soft_top_k
    sigmoid/sigmoid_layout:sndcg
    sigmoid/sigmoid_pull:detail/sigmoid/sigmoid_sums
    sigmoid/smooth_dcg:sndcg
    sorting/descending_key:detail/sorting/argsort
    sorting/partition:detail/sorting/argsort
    sorting/radix_sort:detail/sorting/argsort
    sorting/first_of_order:metrics/recall
    sorting/mixed_columns:sorts/sorting_network
    sorting/sorted_list:detail/sorting/sorted_rows
    sorting/sort_network:detail/sorting/argsort
    text/trec_lines:data/trec)
# The same of headers of cuda/.
set(cuda_tested_by
    approx_ndcg:sndcg
    batch:context
    detail/all_pairs:pairwise
    detail/chosen_items:smooth_metric
    detail/distance_steps:sorts/soft_sort
    detail/distance_sums:sorts/soft_sort
    detail/embedding_shape:embedding_batch
    detail/embedding_side:embedding_batch
    detail/exponent_lines:circle
    detail/faults:context
    detail/falling_bits:detail/segmented_sort
    detail/field_faults:preference_batch
    detail/gain_steps:neural_ndcg
    detail/gains:sndcg
    detail/grid_lists:softmax_cross_entropy
    detail/isotonic:ranks/projected_ranks
    detail/isotonic_tiles:ranks/projected_ranks
    detail/item_ends:preference_batch
    detail/item_functions:pointwise
    detail/lambda_sums:hosts/xgboost
    detail/laplace_scan:ranks/laplace_ranks
    detail/launch:context
    detail/line_engine:embedding_batch
    detail/line_kernel:embedding_batch
    detail/line_panels:cublas
    detail/line_sums:embedding_batch
    detail/line_tasks:embedding_batch
    detail/list_kernel:context
    detail/list_shape:context
    detail/listmle_steps:listmle
    detail/matrix_line_kernel:info_nce
    detail/matrix_lines:similarity_batch
    detail/matrix_list_engine:bidirectional
    detail/matrix_product:cublas
    detail/merge_sort:preference_batch
    detail/metrics_of_ranks:smooth_metric
    detail/near_numbers:pairwise
    detail/neural_band:neural_ndcg
    detail/neural_band_steps:sorts/neural_sort
    detail/neural_ndcg_steps:neural_ndcg
    detail/neural_sort_cross_entropy_steps:neural_sort_cross_entropy
    detail/order_faults:plackett_luce_policy
    detail/order_draws:listmle
    detail/order_pairs:plackett_luce
    detail/order_rests:listmle
    detail/order_shape:plackett_luce_policy
    detail/pair_functions:pairwise
    detail/pair_list:pairwise
    detail/pair_steps:pairwise
    detail/pair_weights:pairwise
    detail/preference_floats:preference_batch
    detail/prefix_sums:embedding_batch
    detail/product_tile:embedding_batch
    detail/ragged_lists:gae
    detail/random_bits:xe_ndcg
    detail/rank_list:ranks/sigmoid_ranks
    detail/rank_steps:ranks/sigmoid_ranks
    detail/scaled_sort:sorts/sinkhorn
    detail/score_functions:ranks/sigmoid_ranks
    detail/score_runs:metrics/average_precision
    detail/score_steps:metrics/average_precision
    detail/scratch_behind:weighted_sum
    detail/scratch_plan:preference_batch
    detail/sigmoid_sums:sndcg
    detail/sigmoid_tiles:sndcg
    detail/sinkhorn_band:neural_ndcg
    detail/sinkhorn_steps:sorts/sinkhorn
    detail/smooth_metric_steps:smooth_metric
    detail/sndcg_steps:sndcg
    detail/soft_sort_floats:sorts/soft_sort
    detail/soft_top_k_list:sorts/soft_top_k
    detail/softmax_list:softmax_cross_entropy
    detail/softmax_steps:softmax_cross_entropy
    detail/sort_list:sorts/neural_sort
    detail/sort_steps:sorts/neural_sort
    detail/spearman_steps:soft_spearman
    detail/step_floats:ppo
    detail/step_statistics:ppo
    detail/stop_steps:smooth_metric
    detail/team_sort:detail/team
    detail/term_kernel:preference_batch
    detail/terms_of_ranks:smooth_metric
    detail/tied_draws:plackett_luce
    detail/tile_scan:listmle
    detail/triplet_list:triplet
    detail/triplet_terms:triplet
    detail/unique_softmax_steps:unique_softmax
    detail/value_sums:weighted_sum
    detail/whitening:gae
    evaluate:context
    ranks/rank:ranks/sigmoid_ranks
    smooth_ap:smooth_metric
    smooth_mrr:smooth_metric
    smooth_precision_at_k:smooth_metric
    smooth_recall_at_k:smooth_metric
    sorts/sort:sorts/neural_sort)
# Tests of no header in particular: what every loss is held to.
set(about_all "^(cuda/)?promises/")

file(GLOB_RECURSE headers RELATIVE ${root}/include/rankloss ${root}/include/rankloss/*.hpp)
list(FILTER headers EXCLUDE REGEX "^(cpu|cuda|detail)/")
list(REMOVE_ITEM headers rankloss.hpp version.hpp)
if(NOT headers)
  message(FATAL_ERROR "no headers in ${root}/include/rankloss")
endif()

set(umbrella "")
set(text "")
set(table "")
if(EXISTS ${root}/include/rankloss/rankloss.hpp)
  file(READ ${root}/include/rankloss/rankloss.hpp umbrella)
endif()
if(EXISTS ${root}/docs/losses.md)
  file(READ ${root}/docs/losses.md text)
  file(STRINGS ${root}/docs/losses.md table REGEX "^\\|")
endif()

set(page "")
if(EXISTS ${root}/docs/headers.md)
  file(READ ${root}/docs/headers.md page)
endif()

set(missing "")
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.hpp$" "" name ${header})
  string(REPLACE "." "\\." pattern ${header})
  if(NOT header MATCHES "^(conventions|data|hosts)/" AND NOT name IN_LIST not_in_umbrella AND NOT umbrella MATCHES "#include <rankloss/${pattern}>")
    string(APPEND missing "\n  include/rankloss/rankloss.hpp: no line includes <rankloss/${header}>")
  endif()
  if(NOT page MATCHES "include/rankloss/${pattern}\\)")
    string(APPEND missing "\n  docs/headers.md: no row links include/rankloss/${header}")
  endif()
  if(NOT name IN_LIST tested_with_another AND NOT EXISTS ${root}/tests/${name}.test.cpp)
    string(APPEND missing "\n  tests/${name}.test.cpp: missing, expected for include/rankloss/${header}")
  endif()
  if(name IN_LIST without_row OR name MATCHES "^metrics/")
    cmake_path(GET name FILENAME word)
    if(NOT text MATCHES "`${word}`")
      string(APPEND missing "\n  docs/losses.md: nothing names `${word}`, expected for include/rankloss/${header}")
    endif()
  elseif(NOT name IN_LIST frame AND NOT header MATCHES "^conventions/" AND NOT table MATCHES "(rankloss/|[^a-z_/])${pattern}")
    string(APPEND missing "\n  docs/losses.md: no row of a table names ${header}")
  endif()
endforeach()

file(GLOB_RECURSE details RELATIVE ${root}/include/rankloss/detail ${root}/include/rankloss/detail/*.hpp)
if(NOT details)
  message(FATAL_ERROR "no headers in ${root}/include/rankloss/detail")
endif()
foreach(header IN LISTS details)
  string(REGEX REPLACE "\\.hpp$" "" name ${header})
  set(test detail/${name})
  foreach(pair IN LISTS tested_by)
    if(pair MATCHES "^${name}:(.*)$")
      set(test ${CMAKE_MATCH_1})
    endif()
  endforeach()
  if(NOT name IN_LIST only_declares AND NOT EXISTS ${root}/tests/${test}.test.cpp)
    string(APPEND missing "\n  tests/${test}.test.cpp: missing, expected for include/rankloss/detail/${header}")
  endif()
endforeach()

# The other way round: a test whose header has gone. Several tests are compiled as one, so each has a namespace.
file(GLOB_RECURSE tests RELATIVE ${root}/tests ${root}/tests/*.test.cpp)
foreach(test IN LISTS tests)
  string(REGEX REPLACE "\\.test\\.cpp$" "" name ${test})
  if(NOT name MATCHES "${about_all}" AND NOT EXISTS ${root}/include/rankloss/${name}.hpp AND NOT EXISTS ${root}/include/rankloss/${name}.cuh)
    string(APPEND missing "\n  include/rankloss/${name}.hpp: missing, expected for tests/${test}")
  endif()
  string(REPLACE "/" "_" namespace ${name})
  file(STRINGS ${root}/tests/${test} opens REGEX "^namespace ${namespace}_test {$")
  if(NOT opens)
    string(APPEND missing "\n  tests/${test}: no namespace ${namespace}_test")
  endif()
endforeach()

# Engines: each has a face of its name, which brings it in.
file(GLOB_RECURSE engines RELATIVE ${root}/include/rankloss/cpu ${root}/include/rankloss/cpu/*.hpp)
foreach(engine IN LISTS engines)
  set(face "")
  if(EXISTS ${root}/include/rankloss/${engine})
    file(READ ${root}/include/rankloss/${engine} face)
  endif()
  if(NOT face MATCHES "#if !defined\\(RANKLOSS_FACES_ONLY\\)\n#include <rankloss/cpu/${engine}>\n#endif\n$")
    string(APPEND missing "\n  include/rankloss/${engine}: does not end by including <rankloss/cpu/${engine}>")
  endif()
endforeach()

# Kernels of a device: each header has a test of its name, those that are not of detail/ a row, and each engine its face and a row in docs/cuda.md.
file(GLOB_RECURSE on_device RELATIVE ${root}/include/rankloss/cuda ${root}/include/rankloss/cuda/*.hpp ${root}/include/rankloss/cuda/*.cuh)
set(cuda_page "")
if(EXISTS ${root}/docs/cuda.md)
  file(READ ${root}/docs/cuda.md cuda_page)
endif()
foreach(header IN LISTS on_device)
  string(REGEX REPLACE "\\.(hpp|cuh)$" "" name ${header})
  string(REPLACE "." "\\." pattern ${header})
  set(test ${name})
  foreach(pair IN LISTS cuda_tested_by)
    if(pair MATCHES "^${name}:(.*)$")
      set(test ${CMAKE_MATCH_1})
    endif()
  endforeach()
  if(NOT EXISTS ${root}/tests/cuda/${test}.test.cpp)
    string(APPEND missing "\n  tests/cuda/${test}.test.cpp: missing, expected for include/rankloss/cuda/${header}")
  endif()
  if(NOT header MATCHES "^detail/" AND NOT page MATCHES "include/rankloss/cuda/${pattern}\\)")
    string(APPEND missing "\n  docs/headers.md: no row links include/rankloss/cuda/${header}")
  endif()
  if(header MATCHES "\\.cuh$" AND NOT header MATCHES "^detail/")
    if(NOT EXISTS ${root}/include/rankloss/${name}.hpp)
      string(APPEND missing "\n  include/rankloss/${name}.hpp: missing, expected for include/rankloss/cuda/${header}")
    endif()
    if(NOT cuda_page MATCHES "cuda/${pattern}")
      string(APPEND missing "\n  docs/cuda.md: nothing names cuda/${header}")
    endif()
  endif()
  # With --use_fast_math these are other functions.
  file(STRINGS ${root}/include/rankloss/cuda/${header} approximated REGEX "(^|[^a-z0-9_])(exp|exp10|log|log2|log10|pow|sqrt|sin|cos|tan|tanh)f\\(")
  if(approximated)
    string(APPEND missing "\n  include/rankloss/cuda/${header}: expected a function of cuda/detail/float_functions.cuh instead of ${approximated}")
  endif()
endforeach()

# Floors, from the ground: a header includes headers of its own floor and of those below. A face's last line, which brings in its engine, is not counted.
set(floors
    "detail/base/|version|workspace"
    "detail/arrays/|arrays|batch|context|distance|gain|loss|matrix_view|options|random|relevance_tiles|strided|threads|vectors"
    "detail/data/|detail/text/"
    "detail/simd/"
    "detail/sorting/"
    "detail/gains/|detail/sigmoid/"
    "detail/pairs/|detail/band/|detail/draws/|detail/orders/"
    "detail/lists/|detail/embeddings/"
    "evaluate"
    "[a-z0-9_]+\\.(hpp)|pairs/|ranks/|sorts/|metrics/"
    "cpu/|cuda/"
    "conventions|conventions/|cpu/hosts/|cuda/hosts/|data/|hosts/|rankloss")
function(floor_of header result)
  set(at 0)
  set(found "")
  foreach(floor IN LISTS floors)
    string(REGEX REPLACE "([a-z_]+)(\\||$)" "\\1\\\\.hpp\\2" floor "${floor}")
    if(header MATCHES "^(${floor})" AND (found STREQUAL "" OR floor MATCHES "conventions"))
      set(found ${at})
    endif()
    math(EXPR at "${at} + 1")
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()
file(GLOB_RECURSE all RELATIVE ${root}/include/rankloss ${root}/include/rankloss/*.hpp ${root}/include/rankloss/*.cuh)
foreach(header IN LISTS all)
  floor_of(${header} own)
  file(STRINGS ${root}/include/rankloss/${header} includes REGEX "^#include <rankloss/")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^#include <rankloss/([^>]*)>.*" "\\1" include "${include}")
    floor_of(${include} other)
    if(other GREATER own AND NOT include STREQUAL "cpu/${header}")
      string(APPEND missing "\n  include/rankloss/${header}: includes <rankloss/${include}>, which is on a higher floor")
    endif()
  endforeach()
endforeach()

if(missing)
  message(FATAL_ERROR "One name, one place:${missing}")
endif()
