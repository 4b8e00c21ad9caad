/* simd_avx2.c: the loops with vectors of 256 bits. */
#include "dispatch.h"

#ifdef HAVE_WIDE_LOOPS

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define LOOPS loops_avx2
#include "loops.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#else
typedef int no_wide_loops; /* C wants a declaration in each file */
#endif
