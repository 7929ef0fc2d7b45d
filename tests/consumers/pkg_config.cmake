# SPDX-License-Identifier: BSL-1.0

# A program built by the compiler and pkg-config alone, from an installed tree that has been moved.
#
#     cmake -D pkg_config=... -D compiler=... -D prefix=... -D xsimd=... -D version=... -D build=... -P pkg_config.cmake
cmake_minimum_required(VERSION 3.25)

set(moved ${build}/moved)
file(REMOVE_RECURSE ${build})
file(COPY ${prefix}/ DESTINATION ${moved})
set(ENV{PKG_CONFIG_PATH} "${moved}/share/pkgconfig:${xsimd}:$ENV{PKG_CONFIG_PATH}")

execute_process(COMMAND ${pkg_config} --modversion rankloss OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT found STREQUAL version)
  message(FATAL_ERROR "rankloss.pc: version ${found}, expected ${version}")
endif()
execute_process(COMMAND ${pkg_config} --variable=includedir rankloss OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(REAL_PATH "${found}" found)
file(REAL_PATH ${moved}/include expected)
if(NOT found STREQUAL expected)
  message(FATAL_ERROR "rankloss.pc: includedir ${found}, expected ${expected}")
endif()

set(command "'${compiler}' -std=c++20 $('${pkg_config}' --cflags --libs rankloss) '${CMAKE_CURRENT_LIST_DIR}/main.cpp' -o '${build}/consumer'")
message("${command}")
execute_process(COMMAND sh -c "${command}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${build}/consumer COMMAND_ERROR_IS_FATAL ANY)
