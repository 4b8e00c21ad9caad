/* simd_avx2.c: the loops with vectors of 256 bits. */
#include "dispatch.h"

#ifdef HAVE_WIDE_LOOPS

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define VECTOR_BYTES 32
#define TILE_ROWS 4
#define TILE_VECTORS 3
#define FUSED_F32(x, y, z) _mm256_fmadd_ps(_mm256_set1_ps(x), y, z)
#define FUSED_F64(x, y, z) _mm256_fmadd_pd(_mm256_set1_pd(x), y, z)
#define LOOPS loops_avx2
#include "loops.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#else
typedef int no_wide_loops; /* C wants a declaration in each file */
#endif
