/* optimizers.c: the optimizer kernels that kernels.h declares, for float and for double.
 * The loops stand once, in optimizer_loops.h; here they are compiled for each type. */
#include "kernels.h"
#include "wide.h"

#include <math.h>

int tgl_abi(void)
{
    return 3;
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
