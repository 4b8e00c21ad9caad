/* simd_baseline.c: the loops as the compiler makes them for any processor of its kind. */
#define LOOPS loops_baseline
#include "loops.h"
