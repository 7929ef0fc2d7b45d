# SPDX-License-Identifier: BSL-1.0

if(RANKLOSS_INSTALL)
  include(GNUInstallDirs)
endif()

# rankloss_component(NAME HEADERS header... LINKS target...)
#
# The interface target rankloss::NAME, by the same name in the tree and installed. What it links is named, not looked for: only who links
# the component needs it, and finds it before. With CMAKE_VERIFY_INTERFACE_HEADER_SETS each header is compiled by itself, where all that the
# component links is there; the others are the first that their tests include.
function(rankloss_component name)
  cmake_parse_arguments(PARSE_ARGV 1 component "" "" "HEADERS;LINKS")
  set(target rankloss)
  if(NOT name STREQUAL "rankloss")
    set(target rankloss_${name})
  endif()
  add_library(${target} INTERFACE)
  add_library(rankloss::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${component_HEADERS})
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(${target} INTERFACE ${component_LINKS})
  foreach(link IN LISTS component_LINKS)
    if(NOT TARGET ${link})
      set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
    endif()
  endforeach()
  if(RANKLOSS_INSTALL)
    install(TARGETS ${target} EXPORT rankloss-targets FILE_SET HEADERS)
  endif()
endfunction()
