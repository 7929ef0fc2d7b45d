# SPDX-License-Identifier: BSL-1.0

# What find_package(rankloss) reads.
include(CMakePackageConfigHelpers)
set(rankloss_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/rankloss)
configure_package_config_file(cmake/rankloss-config.cmake.in rankloss-config.cmake INSTALL_DESTINATION ${rankloss_package_dir})
write_basic_package_version_file(rankloss-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(EXPORT rankloss-targets NAMESPACE rankloss:: DESTINATION ${rankloss_package_dir})
install(
  FILES ${PROJECT_BINARY_DIR}/rankloss-config.cmake ${PROJECT_BINARY_DIR}/rankloss-config-version.cmake cmake/xsimd.cmake
  DESTINATION ${rankloss_package_dir})
