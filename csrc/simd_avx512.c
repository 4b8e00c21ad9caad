/* simd_avx512.c: the loops with vectors of 512 bits. */
#include "dispatch.h"

#ifdef HAVE_WIDE_LOOPS

#include <immintrin.h>

/* GCC has to be told to fill the vectors; clang does, and would ignore all of a target that
 * asks for it. */
#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 2
#define FUSED_F32(x, y, z) _mm512_fmadd_ps(_mm512_set1_ps(x), y, z)
#define FUSED_F64(x, y, z) _mm512_fmadd_pd(_mm512_set1_pd(x), y, z)
#define LOOPS loops_avx512
#include "loops.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#else
typedef int no_wide_loops; /* C wants a declaration in each file */
#endif
