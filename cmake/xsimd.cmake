# SPDX-License-Identifier: BSL-1.0

# rankloss::xsimd: the headers of xsimd 8.1 or later, from RANKLOSS_XSIMD_INCLUDE_DIR, from the host's own target or from a package that
# has been found. Used by the build and by the installed package.
#
# Only the headers are taken: Debian's target also names a library `xtl` that nothing of it needs and that does not exist. The target is
# global because those of a package are seen only in the folder that found it, which is not the host's.
if(NOT TARGET rankloss::xsimd)
  if(RANKLOSS_XSIMD_INCLUDE_DIR)
    set(rankloss_xsimd_headers "${RANKLOSS_XSIMD_INCLUDE_DIR}")
    if(NOT EXISTS "${RANKLOSS_XSIMD_INCLUDE_DIR}/xsimd/xsimd.hpp")
      message(FATAL_ERROR "RANKLOSS_XSIMD_INCLUDE_DIR: ${RANKLOSS_XSIMD_INCLUDE_DIR}, expected a folder that holds xsimd/xsimd.hpp")
    endif()
  elseif(TARGET xsimd::xsimd)
    get_target_property(rankloss_xsimd_headers xsimd::xsimd INTERFACE_INCLUDE_DIRECTORIES)
  else()
    get_target_property(rankloss_xsimd_headers xsimd INTERFACE_INCLUDE_DIRECTORIES)
  endif()
  if(xsimd_VERSION AND xsimd_VERSION VERSION_LESS 8.1)
    message(FATAL_ERROR "xsimd: version ${xsimd_VERSION}, expected 8.1 or later")
  endif()
  add_library(rankloss::xsimd INTERFACE IMPORTED GLOBAL)
  target_include_directories(rankloss::xsimd INTERFACE ${rankloss_xsimd_headers})
  unset(rankloss_xsimd_headers)
endif()
