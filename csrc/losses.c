/* losses.c: the fused losses that kernels.h declares, for float and for double.
 * The loops stand once, in loss_loops.h; here they are compiled for each type. */
#include "kernels.h"
#include "wide.h"

#include <math.h>
#include <string.h>

/* 1 / k!, the coefficients of e^r = sum of r^k / k! */
static const double inverse_factorial[] = {
    1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
    1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

#define BLOCK 2048       /* elements that are worked on at a time, within the first cache */
#define LANES 16         /* parts of a sum: one vector of floats, of the widest kind */
#define QUARTER (LANES / 4)

#define real float
#define bits uint32_t
#define LOGARITHM logf
#define TERMS 7          /* of the series: the rest is below half a unit in the last place */
#define LOWEST -87.0     /* e^x is 0 below, where float has no normal numbers */
#define LN2_HIGH 0.693359375        /* ln 2 = high + low; k * high is exact */
#define LN2_LOW -2.12194440e-4
#define MANTISSA 23
#define SHIFTER 12583039.0          /* 1.5 * 2^23 + 127 */
#define NAME(name) name##_f32
#include "loss_loops.h"
#undef real
#undef bits
#undef LOGARITHM
#undef TERMS
#undef LOWEST
#undef LN2_HIGH
#undef LN2_LOW
#undef MANTISSA
#undef SHIFTER
#undef NAME

#define real double
#define bits uint64_t
#define LOGARITHM log
#define TERMS 13
#define LOWEST -708.0
#define LN2_HIGH 0.693145751953125
#define LN2_LOW 1.42860682030941723212e-6
#define MANTISSA 52
#define SHIFTER 6755399441056767.0  /* 1.5 * 2^52 + 1023 */
#define NAME(name) name##_f64
#include "loss_loops.h"
