/* simd_avx512.c: the loops with vectors of 512 bits. */
#include "dispatch.h"

#ifdef HAVE_WIDE_LOOPS

/* GCC has to be told to fill the vectors; clang does, and would ignore all of a target that
 * asks for it. */
#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

#define LOOPS loops_avx512
#include "loops.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#else
typedef int no_wide_loops; /* C wants a declaration in each file */
#endif
