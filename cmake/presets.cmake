# SPDX-License-Identifier: BSL-1.0

# What the presets ask for and JSON cannot say. Read only where a preset names it; who builds without presets, or embeds rankloss, is
# given no flag.

if(RANKLOSS_MARCH)
  add_compile_options(-march=${RANKLOSS_MARCH})
endif()

# The AVX-512 intrinsics of GCC before 13 begin from a register that they leave undefined on purpose; inlined, that looks like a variable
# used before it is set (GCC bug 105593). A pragma around the include of xsimd reaches it only where nothing else has included them before.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-uninitialized -Wno-maybe-uninitialized)
endif()

# Clang counts changes of sign among the conversions, as GCC does not, and sees that libstdc++ 12 has std::stable_sort by way of deprecated functions:
# both are everywhere in the tests. The headers are free of either (tests/consumers).
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-sign-conversion -Wno-deprecated-declarations)
endif()

find_program(RANKLOSS_CCACHE ccache)
if(RANKLOSS_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RANKLOSS_CCACHE})
endif()
