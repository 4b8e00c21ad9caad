/* optimizers.c: the optimizer kernels that kernels.h declares, for float and for double.
 * The loops stand once, in optimizer_loops.h; here they are compiled for each type. */
#include "kernels.h"

#include <math.h>

/* Wide vectors, chosen at run time: with GCC and glibc on x86-64 each loop is compiled twice,
 * and the loader takes the one that this processor can run. Other compilers and C libraries
 * compile it once. Either way gives the same bits: only more elements at a time. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

int tgl_abi(void)
{
    return 1;
}

#define real float
#define square_root sqrtf
#define NAME(name) name##_f32
#include "optimizer_loops.h"
#undef real
#undef square_root
#undef NAME

#define real double
#define square_root sqrt
#define NAME(name) name##_f64
#include "optimizer_loops.h"
