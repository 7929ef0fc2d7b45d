// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/version.hpp>

// RANKLOSS_ABI names the inline namespace that holds all of rankloss. It encodes what a translation unit is
// built for: the library's version, the processor features that the compiler's macros report, fast math,
// exceptions and AddressSanitizer. Objects that differ in one of these therefore share no rankloss function.
// Without this, the linker would keep one copy of each inline function, compiled for the processor of
// whichever object comes first.
//
// The features are hexadecimal digits, each of which encodes four features in the order below, as in
// v0_1_0_x86_7f000000.

#define RANKLOSS_PASTE(a, b) RANKLOSS_PASTE_NOW(a, b)
#define RANKLOSS_PASTE_NOW(a, b) a##b

// RANKLOSS_HAS(MACRO) is 1 where the compiler defines MACRO as 1, else 0. Of the names RANKLOSS_COMMA_<value>
// only RANKLOSS_COMMA_1 is a macro; its comma makes the 1 the second argument.
#define RANKLOSS_COMMA_1 ,
#define RANKLOSS_HAS(value) RANKLOSS_HAS_NOW(value)
#define RANKLOSS_HAS_NOW(value) RANKLOSS_HAS_SECOND(RANKLOSS_COMMA_##value)
#define RANKLOSS_HAS_SECOND(comma_or_word) RANKLOSS_PICK_SECOND(comma_or_word 1, 0, 0)
#define RANKLOSS_PICK_SECOND(first, second, ...) second

#define RANKLOSS_DIGIT(a, b, c, d) \
  RANKLOSS_DIGIT_OF(RANKLOSS_HAS(a), RANKLOSS_HAS(b), RANKLOSS_HAS(c), RANKLOSS_HAS(d))
#define RANKLOSS_DIGIT_OF(a, b, c, d) RANKLOSS_DIGIT_NOW(a, b, c, d)
#define RANKLOSS_DIGIT_NOW(a, b, c, d) RANKLOSS_DIGIT_##a##b##c##d
#define RANKLOSS_DIGIT_0000 0
#define RANKLOSS_DIGIT_0001 1
#define RANKLOSS_DIGIT_0010 2
#define RANKLOSS_DIGIT_0011 3
#define RANKLOSS_DIGIT_0100 4
#define RANKLOSS_DIGIT_0101 5
#define RANKLOSS_DIGIT_0110 6
#define RANKLOSS_DIGIT_0111 7
#define RANKLOSS_DIGIT_1000 8
#define RANKLOSS_DIGIT_1001 9
#define RANKLOSS_DIGIT_1010 a
#define RANKLOSS_DIGIT_1011 b
#define RANKLOSS_DIGIT_1100 c
#define RANKLOSS_DIGIT_1101 d
#define RANKLOSS_DIGIT_1110 e
#define RANKLOSS_DIGIT_1111 f

// The header that the workspace needs to poison memory that is not taken. Clang's packages lack it where the
// run-time library is a separate package.
#if __has_include(<sanitizer/asan_interface.h>)
#if defined(__SANITIZE_ADDRESS__)
#define RANKLOSS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RANKLOSS_ADDRESS_SANITIZER 1
#endif
#endif
#endif

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#define RANKLOSS_FEATURES_1 RANKLOSS_DIGIT(__SSE3__, __SSSE3__, __SSE4_1__, __SSE4_2__)
#define RANKLOSS_FEATURES_2 RANKLOSS_DIGIT(__POPCNT__, __LZCNT__, __MOVBE__, __SSE4A__)
#define RANKLOSS_FEATURES_3 RANKLOSS_DIGIT(__AVX__, __F16C__, __FMA__, __FMA4__)
#define RANKLOSS_FEATURES_4 RANKLOSS_DIGIT(__AVX2__, __BMI__, __BMI2__, __AVXVNNI__)
#define RANKLOSS_FEATURES_5 RANKLOSS_DIGIT(__AVX512F__, __AVX512CD__, __AVX512BW__, __AVX512DQ__)
#define RANKLOSS_FEATURES_6 RANKLOSS_DIGIT(__AVX512VL__, __AVX512IFMA__, __AVX512VBMI__, __AVX512VBMI2__)
#define RANKLOSS_FEATURES_7 \
  RANKLOSS_DIGIT(__AVX512VNNI__, __AVX512BITALG__, __AVX512VPOPCNTDQ__, __AVX512BF16__)
#define RANKLOSS_FEATURES_8 RANKLOSS_DIGIT(__AVX512FP16__, __GFNI__, __AVX10_1__, __APX_F__)
#define RANKLOSS_MACHINE x86
#else
#define RANKLOSS_FEATURES_1 \
  RANKLOSS_DIGIT(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_DOTPROD, __ARM_FEATURE_ATOMICS)
#define RANKLOSS_FEATURES_2                                                                   \
  RANKLOSS_DIGIT(__ARM_FEATURE_SVE, __ARM_FEATURE_SVE2, __ARM_FEATURE_FP16_VECTOR_ARITHMETIC, \
                 __ARM_FEATURE_BF16)
#define RANKLOSS_FEATURES_3 RANKLOSS_DIGIT(__ALTIVEC__, __VSX__, __POWER8_VECTOR__, __POWER9_VECTOR__)
#define RANKLOSS_FEATURES_4
#define RANKLOSS_FEATURES_5
#define RANKLOSS_FEATURES_6
#define RANKLOSS_FEATURES_7
#define RANKLOSS_FEATURES_8
#define RANKLOSS_MACHINE machine
#endif
#define RANKLOSS_ARITHMETIC \
  RANKLOSS_DIGIT(__FAST_MATH__, __FINITE_MATH_ONLY__, __ASSOCIATIVE_MATH__, __NO_SIGNED_ZEROS__)
#define RANKLOSS_HOST \
  RANKLOSS_DIGIT(__EXCEPTIONS, RANKLOSS_ADDRESS_SANITIZER, _GLIBCXX_ASSERTIONS, _GLIBCXX_DEBUG)

#define RANKLOSS_PASTE4(a, b, c, d) RANKLOSS_PASTE(RANKLOSS_PASTE(a, b), RANKLOSS_PASTE(c, d))
#define RANKLOSS_ABI_VERSION                                                            \
  RANKLOSS_PASTE(RANKLOSS_PASTE4(v, RANKLOSS_VERSION_MAJOR, _, RANKLOSS_VERSION_MINOR), \
                 RANKLOSS_PASTE4(_, RANKLOSS_VERSION_PATCH, _, RANKLOSS_MACHINE))
#define RANKLOSS_FEATURES                                                                                  \
  RANKLOSS_PASTE(                                                                                          \
      RANKLOSS_PASTE4(RANKLOSS_FEATURES_1, RANKLOSS_FEATURES_2, RANKLOSS_FEATURES_3, RANKLOSS_FEATURES_4), \
      RANKLOSS_PASTE4(RANKLOSS_FEATURES_5, RANKLOSS_FEATURES_6, RANKLOSS_FEATURES_7, RANKLOSS_FEATURES_8))
#define RANKLOSS_ABI                                                             \
  RANKLOSS_PASTE4(RANKLOSS_PASTE(RANKLOSS_ABI_VERSION, _), RANKLOSS_FEATURES, _, \
                  RANKLOSS_PASTE(RANKLOSS_ARITHMETIC, RANKLOSS_HOST))

// A compiler for a GPU reads faces alone: what it compiles are kernels and the engines that launch them.
#if defined(__CUDACC__) && !defined(RANKLOSS_FACES_ONLY)
#define RANKLOSS_FACES_ONLY
#endif
