# SPDX-License-Identifier: BSL-1.0

# The recipe of the README, in a copy of what is installed alone, and the workflow of the same name.
#
#     cmake -D source=... -D copy=... -D prefix=... -D options=... -P install.cmake
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${copy} ${prefix})
file(COPY ${source}/CMakeLists.txt ${source}/CMakePresets.json ${source}/cmake ${source}/include DESTINATION ${copy})
execute_process(COMMAND ${CMAKE_COMMAND} --preset install ${options} WORKING_DIRECTORY ${copy} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --install build/install --prefix ${prefix} WORKING_DIRECTORY ${copy} COMMAND_ERROR_IS_FATAL ANY)

set(ENV{DESTDIR} ${copy}/staged)
execute_process(COMMAND ${CMAKE_COMMAND} --workflow --preset install WORKING_DIRECTORY ${copy} COMMAND_ERROR_IS_FATAL ANY)

foreach(root ${prefix} ${copy}/staged/usr/local)
  foreach(file include/rankloss/rankloss.hpp share/cmake/rankloss/rankloss-config.cmake share/pkgconfig/rankloss.pc)
    if(NOT EXISTS ${root}/${file})
      message(FATAL_ERROR "${root}/${file}: not installed")
    endif()
  endforeach()
endforeach()
