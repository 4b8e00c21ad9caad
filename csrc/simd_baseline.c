/* simd_baseline.c: the loops as the compiler makes them for any processor of its kind. */
#define VECTOR_BYTES 16
#define TILE_ROWS 4
#define TILE_VECTORS 2
#define FUSED_F32(x, y, z) ((x) * (y) + (z))
#define FUSED_F64(x, y, z) ((x) * (y) + (z))
#define LOOPS loops_baseline
#include "loops.h"
