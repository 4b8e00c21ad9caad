/* loops.h: all loops for float and for double, and the table of them.
 *
 * simd_baseline.c and its kin include this file, each for one instruction set, and name the
 * table LOOPS. The other names are static, so that they may be the same in each.
 */
#include "channels.h"
#include "dispatch.h"
#include "windows.h"

#include <math.h>
#include <string.h>

#ifdef __GNUC__
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

/* UNROLL before a loop of at most 16 rounds writes out each of them: the elements of a local
 * array can then be registers. WILL_WRITE fetches what will be written into the cache. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif
#ifdef __GNUC__
#define WILL_WRITE(x) __builtin_prefetch(x, 1)
#define LANES_OF(bytes) (VECTOR_BYTES / (bytes))
#else
#define WILL_WRITE(x) (void)(x)
#define LANES_OF(bytes) 1 /* see vector_loops.h */
#endif

/* Rows of c from which on a matrix product copies a panel of b that it could read in place. */
enum { COPY_ROWS = 256 };

/* Windows whose maxima are looked for at a time. */
enum { POOL_BLOCK = 256 };

/* 1 / k!, the coefficients of e^r = sum of r^k / k! */
static const double inverse_factorial[] = {
    1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
    1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

#define LOSS_BLOCK 2048  /* elements that are worked on at a time, within the first cache */
#define LANES 16         /* parts of a sum: one vector of floats, of the widest kind */
#define QUARTER (LANES / 4)

#define real float
#define bits uint32_t
#define square_root sqrtf
#define logarithm logf
#define TERMS 7          /* of the series: the rest is below half a unit in the last place */
#define LOWEST -87.0     /* e^x is 0 below, where float has no normal numbers */
#define HIGHEST 88.72283 /* e^x is infinite above */
#define LN2_HIGH 0.693359375        /* ln 2 = high + low; k * high is exact */
#define LN2_LOW -2.12194440e-4
#define MANTISSA 23
#define SHIFTER 12583039.0          /* 1.5 * 2^23 + 127 */
#define VECTOR_LANES LANES_OF(4)
#define FUSED FUSED_F32
#define NAME(name) name##_f32
#include "optimizer_loops.h"
#include "pass_loops.h"
#include "loss_loops.h"
#include "map_loops.h"
#include "rows_loops.h"
#include "convolution_loops.h"
#include "pooling_loops.h"
#include "batchnorm_loops.h"
#include "vector_loops.h"
#include "matmul_loops.h"
#undef real
#undef bits
#undef square_root
#undef logarithm
#undef TERMS
#undef LOWEST
#undef HIGHEST
#undef LN2_HIGH
#undef LN2_LOW
#undef MANTISSA
#undef SHIFTER
#undef VECTOR_LANES
#undef FUSED
#undef NAME

#define real double
#define bits uint64_t
#define square_root sqrt
#define logarithm log
#define TERMS 13
#define LOWEST -708.0
#define HIGHEST 709.782712893384
#define LN2_HIGH 0.693145751953125
#define LN2_LOW 1.42860682030941723212e-6
#define MANTISSA 52
#define SHIFTER 6755399441056767.0  /* 1.5 * 2^52 + 1023 */
#define VECTOR_LANES LANES_OF(8)
#define FUSED FUSED_F64
#define NAME(name) name##_f64
#include "optimizer_loops.h"
#include "pass_loops.h"
#include "loss_loops.h"
#include "map_loops.h"
#include "rows_loops.h"
#include "convolution_loops.h"
#include "pooling_loops.h"
#include "batchnorm_loops.h"
#include "vector_loops.h"
#include "matmul_loops.h"

#define BOTH(name) {name##_f32, name##_f64}
const struct loops LOOPS = {
    .update = {
        [TGL_SGD] = BOTH(sgd),
        [TGL_MOMENTUM] = BOTH(momentum),
        [TGL_ADAGRAD] = BOTH(adagrad),
        [TGL_ADADELTA] = BOTH(adadelta),
        [TGL_RMSPROP] = BOTH(rmsprop),
        [TGL_ADAM] = BOTH(adam),
        [TGL_FILL] = BOTH(fill),
        [TGL_SCALE] = BOTH(scale),
        [TGL_CLIP] = BOTH(clip),
        [TGL_AVERAGE] = BOTH(average),
        [TGL_ADD_SCALED] = BOTH(add_scaled),
        [TGL_TRIAD] = BOTH(triad),
    },
    .square_sum = BOTH(square_sum),
    .matmul = BOTH(matmul),
    .panel = BOTH(PANEL),
    .f32 = {
        .cross_entropy = cross_entropy_f32,
        .last_column = last_column_f32,
        .cross_entropy_slope = cross_entropy_slope_f32,
        .add_rows = add_rows_f32,
        .im2col = im2col_f32,
        .col2im = col2im_f32,
        .max_pool = max_pool_f32,
        .gather = gather_f32,
        .scatter = scatter_f32,
        .average_windows = average_windows_f32,
        .spread_windows = spread_windows_f32,
        .batch_norm = batch_norm_f32,
        .normalize = normalize_f32,
        .batch_norm_slopes = batch_norm_slopes_f32,
        .sum = sum_channels_f32,
        .map = {
            [TGL_ADD] = map_add_f32,
            [TGL_SUBTRACT] = map_subtract_f32,
            [TGL_MULTIPLY] = map_multiply_f32,
            [TGL_DIVIDE] = map_divide_f32,
            [TGL_NEGATIVE] = map_negative_f32,
            [TGL_ABS] = map_abs_f32,
            [TGL_SQRT] = map_sqrt_f32,
            [TGL_RELU_OF] = map_relu_f32,
            [TGL_RELU_SLOPE] = map_relu_slope_f32,
            [TGL_SQUARED_DIFFERENCE] = map_squared_difference_f32,
            [TGL_EXP] = map_exp_f32,
            [TGL_LOG] = map_log_f32,
            [TGL_TANH] = map_tanh_f32,
            [TGL_SIGMOID] = map_sigmoid_f32,
        },
    },
    .f64 = {
        .cross_entropy = cross_entropy_f64,
        .last_column = last_column_f64,
        .cross_entropy_slope = cross_entropy_slope_f64,
        .add_rows = add_rows_f64,
        .im2col = im2col_f64,
        .col2im = col2im_f64,
        .max_pool = max_pool_f64,
        .gather = gather_f64,
        .scatter = scatter_f64,
        .average_windows = average_windows_f64,
        .spread_windows = spread_windows_f64,
        .batch_norm = batch_norm_f64,
        .normalize = normalize_f64,
        .batch_norm_slopes = batch_norm_slopes_f64,
        .sum = sum_channels_f64,
        .map = {
            [TGL_ADD] = map_add_f64,
            [TGL_SUBTRACT] = map_subtract_f64,
            [TGL_MULTIPLY] = map_multiply_f64,
            [TGL_DIVIDE] = map_divide_f64,
            [TGL_NEGATIVE] = map_negative_f64,
            [TGL_ABS] = map_abs_f64,
            [TGL_SQRT] = map_sqrt_f64,
            [TGL_RELU_OF] = map_relu_f64,
            [TGL_RELU_SLOPE] = map_relu_slope_f64,
            [TGL_SQUARED_DIFFERENCE] = map_squared_difference_f64,
            [TGL_EXP] = map_exp_f64,
            [TGL_LOG] = map_log_f64,
            [TGL_TANH] = map_tanh_f64,
            [TGL_SIGMOID] = map_sigmoid_f64,
        },
    },
};
