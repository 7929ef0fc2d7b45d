# SPDX-License-Identifier: BSL-1.0

# What programs with kernels need, for the folder that includes it.
enable_language(CUDA)
find_package(CUDAToolkit 12 REQUIRED GLOBAL)
if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# rankloss_cuda_program(NAME source...): a program of sources for the C++ compiler and for nvcc.
function(rankloss_cuda_program name)
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>) # CMake 3.25 does not know that nvcc has it
  target_link_libraries(${name} PRIVATE rankloss::cuda)
endfunction()
