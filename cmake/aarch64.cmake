# SPDX-License-Identifier: BSL-1.0

# Toolchain file of the preset aarch64: GCC for 64-bit ARM, whose programs run under QEMU. Debian's packages are g++-aarch64-linux-gnu and qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
