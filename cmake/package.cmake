# SPDX-License-Identifier: BSL-1.0

# What find_package(rankloss) and pkg-config read.
include(CMakePackageConfigHelpers)
set(rankloss_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/rankloss)
configure_package_config_file(cmake/rankloss-config.cmake.in rankloss-config.cmake INSTALL_DESTINATION ${rankloss_package_dir})
write_basic_package_version_file(rankloss-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(EXPORT rankloss-targets NAMESPACE rankloss:: DESTINATION ${rankloss_package_dir})
install(
  FILES ${PROJECT_BINARY_DIR}/rankloss-config.cmake ${PROJECT_BINARY_DIR}/rankloss-config-version.cmake cmake/xsimd.cmake
  DESTINATION ${rankloss_package_dir})

# The file names its prefix relative to itself, so that the installed tree may be moved. xsimd comes from its own file, or from the folder that
# was given for it.
file(RELATIVE_PATH rankloss_pc_prefix ${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" rankloss_pc_prefix ${rankloss_pc_prefix})
set(rankloss_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(rankloss_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
endif()
if(RANKLOSS_XSIMD_INCLUDE_DIR)
  set(rankloss_pc_requires "")
  set(rankloss_pc_cflags " -I\"${RANKLOSS_XSIMD_INCLUDE_DIR}\"")
else()
  set(rankloss_pc_requires "xsimd >= 8.1")
  set(rankloss_pc_cflags "")
endif()
configure_file(cmake/rankloss.pc.in rankloss.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/rankloss.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
