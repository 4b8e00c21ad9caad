/* batchnorm.c: the batch-norm kernels that kernels.h declares, for float and for double.
 * The loops stand once, in batchnorm_loops.h; here they are compiled for each type. */
#include "kernels.h"
#include "wide.h"

#include <math.h>

#define LANES 16    /* parts of a sum over a row */
#define STEPS 32    /* so many numbers are added in single precision, if at all */
#define BLOCK 512   /* channels side by side, whose sums stay in the cache */

/* how many numbers a channel has, to divide by: no numbers have the mean 0 */
static inline size_t count(size_t numbers)
{
    return numbers > 0 ? numbers : 1;
}

/* how many of the channels left the next block has */
static inline size_t block(size_t left)
{
    return left < BLOCK ? left : BLOCK;
}

#define real float
#define NAME(name) name##_f32
#include "batchnorm_loops.h"
#undef real
#undef NAME

#define real double
#define NAME(name) name##_f64
#include "batchnorm_loops.h"
