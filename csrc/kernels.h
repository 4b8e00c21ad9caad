/* kernels.h: every function of the compiled module, with the formula that it computes.
 *
 * Two readers: the C compiler, and cffi (build_kernels.py), which skips the lines that begin
 * with a hash. So: plain declarations, no macros.
 *
 * Nothing is allocated in a call, and nothing is kept between two calls but the choice of
 * instruction set and of threads. Arrays that are written must not overlap any other array.
 */
#ifndef TINYGRAD_LITE_KERNELS_H
#define TINYGRAD_LITE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Number of this interface. It changes with any declaration or meaning below, and is compared
 * with native.ABI on import, so that an outdated compiled module is never called. */
int tgl_abi(void);

/* ---- instruction sets and threads ------------------------------------------------------ */

/* Every loop is compiled for each of these; the widest that the processor has is taken. The
 * results are the same to the last bit, for each element is computed by itself; but for the
 * matrix product, which fuses multiplication and addition where the set has that. */
enum { TGL_BASELINE, TGL_AVX2, TGL_AVX512 };

int tgl_simd_runs(int simd);       /* whether this build and this processor can run it */
void tgl_set_simd(int simd);       /* one of those that run */
int tgl_get_simd(void);

/* How many threads share a large call, the caller's own among them; 1 at first. The others
 * are started when they are first needed, and again after a fork. While one call has them,
 * a call from another thread does its work alone. */
void tgl_set_threads(int threads);
int tgl_get_threads(void);

/* ---- the update of a group of tensors --------------------------------------------------
 *
 * A group is tensors of one type (float or double). arrays[a][k] is the first element of
 * array a of tensor k, a in the order of the kernel's letters; arrays[a] is NULL for an
 * optional one, in brackets below, that is left out. Tensor k has sizes[k] elements.
 */
typedef struct {
    void *const *const *arrays;
    const size_t *sizes;
    size_t tensors;
    size_t elements;            /* the sum of the sizes */
} tgl_group;

/* Update the group by one step of a kernel; `scalars` points to the struct of its name. */
void tgl_update(int kernel, int is_double, const tgl_group *group, const void *scalars);

enum {
    TGL_SGD, TGL_MOMENTUM, TGL_ADAGRAD, TGL_ADADELTA, TGL_RMSPROP, TGL_ADAM,
    TGL_FILL, TGL_SCALE, TGL_CLIP, TGL_AVERAGE, TGL_ADD_SCALED, TGL_TRIAD,
    TGL_KERNELS
};

/* Scalars are doubles, 0 or 1 for no and yes. What follows from scalars alone, like 1 - beta1
 * or lr / c1, is computed once, in double, and then rounded to the type of the arrays.
 *
 * Letters, here, in optimizer_loops.h and in the Python bodies:
 *   w  weights, updated        g  gradient, only read        d  what a step goes against:
 *        d = -g if maximize else g
 *        d = d + weight_decay * w, if weight_decay is not 0
 */

/* Gradient descent, with momentum if there is a b, as PyTorch has it. The caller passes
 * dampening = 0 on a tensor's first step, when b is still 0.      Arrays: w, g, [b].
 *   b = momentum * b + (1 - dampening) * d
 *   w = w - lr * (d + momentum * b if nesterov else b)            without b: w - lr * d
 */
typedef struct {
    double lr, momentum, dampening, nesterov, weight_decay, maximize;
} tgl_sgd;

/* Momentum, as textbooks have it; v is the velocity, which contains the learning rate.
 * Arrays: w, g, v.
 *   v = momentum * v - lr * d
 *   w = w + (momentum * v - lr * d if nesterov else v)
 */
typedef struct {
    double lr, momentum, nesterov, weight_decay, maximize;
} tgl_momentum;

/* Adagrad (Duchi, Hazan and Singer 2011); s is the sum of squared gradients.
 * Arrays: w, g, s.
 *   s = s + d * d
 *   w = w - lr * d / (sqrt(s + inside) + outside)     one of the two is eps, the other 0
 */
typedef struct {
    double lr, inside, outside, weight_decay, maximize;
} tgl_adagrad;

/* Adadelta (Zeiler 2012); s and u are the running means of d * d and of squared steps.
 * Arrays: w, g, s, u.
 *   s = rho * s + (1 - rho) * d * d
 *   d = sqrt((u + eps) / (s + eps)) * d
 *   u = rho * u + (1 - rho) * d * d
 *   w = w - lr * d
 */
typedef struct {
    double lr, rho, eps, weight_decay, maximize;
} tgl_adadelta;

/* RMSprop (Hinton 2012), centered (Graves 2013) if there is an a, with momentum if there is
 * a b; s and a are the running means of d * d and of d.           Arrays: w, g, s, [a], [b].
 *   s = alpha * s + (1 - alpha) * d * d
 *   a = alpha * a + (1 - alpha) * d                               without a: a = 0
 *   d = d / (sqrt(s - a * a + inside) + outside)      one of the two is eps, the other 0
 *   b = momentum * b + d                                          without b: b = d
 *   w = w - lr * b
 */
typedef struct {
    double lr, alpha, inside, outside, momentum, weight_decay, maximize;
} tgl_rmsprop;

/* Adam (Kingma and Ba 2015, algorithm 1), AMSGrad (Reddi et al. 2018) if there is an x, and
 * AdamW (Loshchilov and Hutter 2019) if shrink is not 1; m and v are the running means of d
 * and of d * d, x is the largest v so far. The caller passes the bias corrections
 * c1 = 1 - beta1^t and c2 = 1 - beta2^t of step t.                Arrays: w, g, m, v, [x].
 *   m = beta1 * m + (1 - beta1) * d
 *   v = beta2 * v + (1 - beta2) * d * d
 *   x = max(x, v)                                                 without x: x = v
 *   w = shrink * w - (lr / c1) * m / (sqrt(x) * (1 / sqrt(c2)) + eps)
 */
typedef struct {
    double lr, beta1, beta2, eps, weight_decay, shrink, maximize, c1, c2;
} tgl_adam;

/* Plain passes. Arrays: a; a; a; a, b; a, b; a, b, c.
 *   fill        a = value                    clear gradients
 *   scale       a = value * a                clip gradients by their norm
 *   clip        a = low, or high, where it is beyond
 *   average     a = decay * a + (1 - decay) * b    exponential moving average of weights
 *   add_scaled  a = a + value * b            these two measure the speed of the memory
 *   triad       a = b + value * c
 */
typedef struct { double value; } tgl_fill;
typedef struct { double value; } tgl_scale;
typedef struct { double low, high; } tgl_clip;
typedef struct { double decay; } tgl_average;
typedef struct { double value; } tgl_add_scaled;
typedef struct { double value; } tgl_triad;

/* The sum of the squares of all elements of array 0, in double; `sums` has room for a number
 * per block of TGL_BLOCK elements of each tensor. Each block is summed in TGL_LANES lanes,
 * then lane after lane, and block after block: the same bits for any number of threads. */
enum { TGL_BLOCK = 4096, TGL_LANES = 16 };
double tgl_square_sum(int is_double, const tgl_group *group, double *sums);

/* ---- the matrix product ------------------------------------------------------------------
 *
 *   c = [c +] ([bias +] op(a) op(b)), then [the larger of it and 0]            (m, n)
 *
 * op(a) is (m, k) and op(b) is (k, n); what is in brackets is optional. Each matrix is given by
 * its first element and the number of elements from one row to the next: a, b and c may be
 * parts of larger ones. op is the transpose where the options say so; a is then given as
 * (k, m), b as (n, k). bias is (n,), or NULL.
 *
 * For each element of c, the products are added up in the order of k, each with a single
 * rounding where the instruction set can (AVX2, AVX-512), to a sum that begins with the bias or
 * with 0. If k > TGL_DEPTH, it is divided into as few parts as TGL_DEPTH allows, of one size,
 * a multiple of 16, but for the last; c is the sum of their sums, in order. So the bits do
 * not depend on the number of threads, nor on the other rows and columns. The error of an
 * element is at most (s + k / s) u times the product of the absolute values, s being the size
 * of a part and u the unit of rounding, and for random numbers far below, as with any BLAS.
 * NaN and inf flow as the formula says; the larger of NaN and 0 is NaN. A call takes 64 KB of
 * the stack of each thread at work.
 */
enum { TGL_A_TRANSPOSED = 1, TGL_B_TRANSPOSED = 2, TGL_ACCUMULATE = 4, TGL_RELU = 8 };
enum { TGL_DEPTH = 512 };

void tgl_matmul_f32(
    float *c, size_t c_row, const float *a, size_t a_row, const float *b, size_t b_row,
    const float *bias, size_t m, size_t n, size_t k, int options);
void tgl_matmul_f64(
    double *c, size_t c_row, const double *a, size_t a_row, const double *b, size_t b_row,
    const double *bias, size_t m, size_t n, size_t k, int options);

/* ---- activations ------------------------------------------------------------------------ */

/* The larger of a and 0, and the gradient of y, given g. NaN stays in y; it passes no gradient
 * on, nor does 0: a product with 0, as NumPy's body has it, so inf * 0 is NaN.
 *   y = 0 if a <= 0 else a
 *   d = g * (y > 0)
 */
void tgl_relu_f32(float *y, const float *a, size_t n);
void tgl_relu_f64(double *y, const double *a, size_t n);
void tgl_relu_slope_f32(float *d, const float *g, const float *y, size_t n);
void tgl_relu_slope_f64(double *d, const double *g, const double *y, size_t n);

/* ---- losses ----------------------------------------------------------------------------- */

/* Cross-entropy of logits a (n, c) with class ids target (n,), and what its gradient needs.
 * y is (3, n + 1): losses, peak and total, each with a number for each row i of a:
 *   losses = ln(total) + peak - a[i][target[i]]
 *   peak   = the largest of a[i]
 *   total  = sum over j of e^(a[i][j] - peak)
 * Where target[i] is the id ignored, the loss is 0 and the total is inf, which marks the row.
 * In the last column stand the sum of the losses, 0, and how many rows are not ignored; nan
 * if none. Returns n; or, if an id is neither in 0 .. c - 1 nor the one ignored, or c is 0,
 * the first such row, and writes nothing.
 */
size_t tgl_cross_entropy_f32(
    float *y, const float *a, const int64_t *target, int64_t ignored, size_t n, size_t c);
size_t tgl_cross_entropy_f64(
    double *y, const double *a, const int64_t *target, int64_t ignored, size_t n, size_t c);

/* The gradient of those losses, times g: one number for each row of a with step = 1, the
 * same for all with step = 0. The ids must have passed tgl_cross_entropy, which made y.
 *   d = (e^(a - peak) / total - onehot(target)) * g, or 0 where total is inf    (n, c)
 */
void tgl_cross_entropy_slope_f32(
    float *d, const float *a, const int64_t *target, const float *y,
    const float *g, size_t step, size_t n, size_t c);
void tgl_cross_entropy_slope_f64(
    double *d, const double *a, const int64_t *target, const double *y,
    const double *g, size_t step, size_t n, size_t c);

/* ---- scalars ---------------------------------------------------------------------------- */

/* A tape: scalar operations in an order fixed before. x holds all numbers, code the runs, one
 * after another in `size` numbers. A run is one operation, done n times to numbers that do not
 * depend on one another:
 *   operation, n, y, then n places of a, if it takes them n places of b, and n of c
 * and does, for i = 0 .. n - 1, with the letter of an input standing for x[place i of it]:
 *   x[y + i] = a + b, or what else is said below
 * No place of a result is a place of an input of the same run. Each operation is rounded by
 * itself; inf and NaN come and go as IEEE 754 says. Comparisons give 1 or 0.
 */
void tgl_tape(double *x, const int32_t *code, size_t size);

enum {
    TGL_TAPE_MOVE,             /* x[place i of a] = b; y is not used */
    TGL_TAPE_ADD,              /* a + b */
    TGL_TAPE_SUBTRACT,         /* a - b */
    TGL_TAPE_MULTIPLY,         /* a * b */
    TGL_TAPE_DIVIDE,           /* a / b */
    TGL_TAPE_MULTIPLY_ADD,     /* a + b * c, the product rounded first */
    TGL_TAPE_NEGATIVE,         /* -a */
    TGL_TAPE_POWER,            /* a to the power of b; of 0.5, the square root */
    TGL_TAPE_ABS,              /* the absolute value of a */
    TGL_TAPE_SIGN,             /* -1, 0 or 1; NaN for NaN */
    TGL_TAPE_EXP,              /* e^a */
    TGL_TAPE_EXPM1,            /* e^a - 1 */
    TGL_TAPE_LOG,              /* ln a */
    TGL_TAPE_LOG1P,            /* ln(1 + a) */
    TGL_TAPE_SQRT,             /* the square root of a */
    TGL_TAPE_SIN,              /* sin a */
    TGL_TAPE_COS,              /* cos a */
    TGL_TAPE_TANH,             /* tanh a */
    TGL_TAPE_ERF,              /* the error function of a */
    TGL_TAPE_SIGMOID,          /* 1 / (1 + e^-a) */
    TGL_TAPE_EQUAL,            /* a == b */
    TGL_TAPE_NOT_EQUAL,        /* a != b */
    TGL_TAPE_LESS,             /* a < b */
    TGL_TAPE_LESS_EQUAL,       /* a <= b */
    TGL_TAPE_GREATER,          /* a > b */
    TGL_TAPE_GREATER_EQUAL,    /* a >= b */
    TGL_TAPE_MAXIMUM,          /* the larger of a and b; NaN if one is */
    TGL_TAPE_MINIMUM,          /* the smaller, likewise */
    TGL_TAPE_WHERE,            /* b where a is not 0, else c */
    TGL_TAPE_CLIP              /* a, but at least b, and then at most c */
};

/* ---- rows by number ------------------------------------------------------------------ */

/* Rows of a table by number: a is (rows, width), in any type of number, with rows of so many
 * bytes; index is (n,).
 *   y[i] = a[index[i]]                                            (n, width)
 * Returns n; or the first i whose index is not in 0 .. rows - 1, and writes nothing.
 */
size_t tgl_take_rows(
    char *y, const char *a, const int64_t *index, size_t n, size_t rows, size_t bytes);

/* The way back, which is the gradient of take_rows: y is (rows, width), zero at first, a is
 * (n, width), index (n,). For i = 0 .. n - 1, in this order:
 *   y[index[i]] = y[index[i]] + a[i]
 * Returns what tgl_take_rows does.
 */
size_t tgl_add_rows_f32(
    float *y, const float *a, const int64_t *index, size_t n, size_t rows, size_t width);
size_t tgl_add_rows_f64(
    double *y, const double *a, const int64_t *index, size_t n, size_t rows, size_t width);

/* How windows lie on an image of height x width pixels. Window (oy, ox), of out_h x out_w,
 * has kernel_h x kernel_w places; place (ky, kx) is the pixel
 *   iy = oy * stride_h - top + ky * dilation_h,  ix = ox * stride_w - left + kx * dilation_w
 * which may be outside of the image, in its padding.
 */
typedef struct {
    int64_t height, width;
    int64_t out_h, out_w;
    int64_t kernel_h, kernel_w;
    int64_t stride_h, stride_w;
    int64_t dilation_h, dilation_w;
    int64_t top, left;
} tgl_windows;

/* The columns of a convolution, and their adjoint, the sum back into images. x holds images,
 * cols for each of them a matrix (places, windows): what each place of each window reads, 0
 * in the padding.
 *   im2col:  cols[i][ky][kx][oy][ox] = x[i][iy][ix]
 *   col2im:  x[i][iy][ix] = sum of cols[i][ky][kx][oy][ox] over all places that read it
 */
void tgl_im2col_f32(
    float *cols, const float *x, const tgl_windows *at, size_t images);
void tgl_im2col_f64(
    double *cols, const double *x, const tgl_windows *at, size_t images);
void tgl_col2im_f32(
    float *x, const float *cols, const tgl_windows *at, size_t images);
void tgl_col2im_f64(
    double *x, const double *cols, const tgl_windows *at, size_t images);

/* The largest pixel of each window, and where it is: index = iy * width + ix. Of equal ones
 * the first wins, a NaN over all numbers, and the padding never.
 *   y[i][oy][ox] = max of x[i][iy][ix] = x[i][index[i][oy][ox]]
 */
void tgl_max_pool_f32(
    float *y, int32_t *index, const float *x, const tgl_windows *at, size_t images);
void tgl_max_pool_f64(
    double *y, int32_t *index, const double *x, const tgl_windows *at, size_t images);

/* Reading at an index, and its adjoint. An image x has `pixels` elements, of which y names
 * `outputs` by their index.
 *   gather:   y[i][o] = x[i][index[i][o]]
 *   scatter:  x[i][index] = sum of y[i][o] over all o with this index
 * Both return 1; or 0, and have not finished, if an index is not in 0 .. pixels - 1.
 */
int tgl_gather_f32(
    float *y, const float *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t images);
int tgl_gather_f64(
    double *y, const double *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t images);
int tgl_scatter_f32(
    float *x, const float *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t images);
int tgl_scatter_f64(
    double *x, const double *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t images);

/* The mean of each window, and its adjoint. Window (oy, ox) has the rows rows[oy] up to, not
 * including, rows[out_h + oy], the columns likewise, and is divided by divisor[oy][ox].
 *   average:  y[i][oy][ox] = (sum of x[i][iy][ix] over the window) / divisor[oy][ox]
 *   spread:   x[i][iy][ix] = sum of y[i][oy][ox] / divisor[oy][ox] over its windows
 */
void tgl_average_f32(
    float *y, const float *x, const int64_t *rows, const int64_t *columns,
    const float *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images);
void tgl_average_f64(
    double *y, const double *x, const int64_t *rows, const int64_t *columns,
    const double *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images);
void tgl_spread_f32(
    float *x, const float *y, const int64_t *rows, const int64_t *columns,
    const float *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images);
void tgl_spread_f64(
    double *x, const double *y, const int64_t *rows, const int64_t *columns,
    const double *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images);

/* Batch normalization (Ioffe and Szegedy 2015, algorithm 1). x, y and g are (n, c, s), the
 * rest has c elements; m = n * s numbers share a channel, or m = 1 if none. Sums run in
 * double.
 *   mean = sum of x / m               var = sum of (x - mean)^2 / m
 *   y = (x - mean) * w * r + b        with r = 1 / sqrt(var + eps)
 * batch_norm computes mean and var, and lets running ones follow, unless these are NULL or
 * there are no numbers: with the variance estimated without bias,
 *   running_mean = (1 - share) * running_mean + share * mean
 *   running_var  = (1 - share) * running_var  + share * var * m / (m - 1)
 * normalize is given them. The gradients of y, given g, with h = (x - mean) * r:
 *   db = sum of g                     dw = sum of g * h
 *   dx = w * r * (g - (db + h * dw) / m) if training, where mean and var are those of x,
 *   dx = w * r * g                       otherwise, where they are constants
 */
void tgl_batch_norm_f32(
    float *y, float *mean, float *var, float *running_mean, float *running_var,
    const float *x, const float *w, const float *b,
    size_t n, size_t c, size_t s, double eps, double share);
void tgl_batch_norm_f64(
    double *y, double *mean, double *var, double *running_mean, double *running_var,
    const double *x, const double *w, const double *b,
    size_t n, size_t c, size_t s, double eps, double share);
void tgl_normalize_f32(
    float *y, const float *x, const float *w, const float *b,
    const float *mean, const float *var,
    size_t n, size_t c, size_t s, double eps);
void tgl_normalize_f64(
    double *y, const double *x, const double *w, const double *b,
    const double *mean, const double *var,
    size_t n, size_t c, size_t s, double eps);
void tgl_batch_norm_slopes_f32(
    float *dx, float *dw, float *db, const float *g, const float *x, const float *w,
    const float *mean, const float *var,
    size_t n, size_t c, size_t s, double eps, int training);
void tgl_batch_norm_slopes_f64(
    double *dx, double *dw, double *db, const double *g, const double *x, const double *w,
    const double *mean, const double *var,
    size_t n, size_t c, size_t s, double eps, int training);

/* ---- programs -----------------------------------------------------------------------------
 *
 * A program is a list of instructions on arrays that stay where they are, such as a whole
 * training step. x holds the arrays of an instruction, those that it writes first; n whole
 * numbers, s fractions. Numbers are float or double; letters are those of the functions above.
 *
 * kind         computes                      x                        n
 * input        y = a                         y, where the address of a stands    bytes
 * copy         y = a                         y, a                     bytes
 * add_one      y = a + 1, of int64_t         y, a
 * matmul       tgl_matmul                    c, a, b, bias            m, n, k, c_row, a_row,
 *                                                                     b_row, options
 * sum          y[c] = s[0] * sum of a[o][c][i]  y, a                  o, c, i: how many
 * losses       tgl_cross_entropy             y, a, target             n, c, ignored
 * slope        tgl_cross_entropy_slope       d, a, target, y, g       n, c, step
 * conv         the convolution y             y, scratch, x, w, bias   images, c, out, groups,
 * conv_images  its adjoint for x             x, scratch, y, w            parts, relu
 * conv_weights its adjoint for w             w, scratch, x, y
 * max_pool     tgl_max_pool                  y, index, x              images
 * scatter      tgl_scatter                   x, y, index              pixels, outputs, images
 * batch_norm   tgl_batch_norm                y, mean, var, running_mean, running_var,
 *                                            x, w, b                  n, c, s
 * normalize    tgl_normalize                 y, x, w, b, mean, var    n, c, s
 * norm_slopes  tgl_batch_norm_slopes         dx, dw, db, g, x, w, mean, var
 *                                                                     n, c, s, training
 * take_rows    tgl_take_rows                 y, a, index              n, rows, bytes
 * add_rows     tgl_add_rows, y cleared first y, a, index              n, rows, width
 * update       tgl_update                    group, scalars           kernel
 * tape         tgl_tape                      x, code                  size
 *
 * An s[0] is eps, and s[1] share, in batch normalization. conv and its adjoints, and max_pool,
 * have windows. Convolutions are done in so many parts, 1 to `images`, perhaps side by side:
 * `scratch` has room for the columns of one image of c channels for each part, and in
 * conv_weights for a matrix w for each part behind these.
 *
 * Kinds from TGL_MAP on compute each element of y from one of a and one of b. y has rows of so
 * many columns, and n has: elements, columns, and for a and for b how far it is from column to
 * column, 1 or 0, and from row to row. So a may be a row that is the same for all (0 from row to row),
 * a column, or a number. Where joined is not 0, the instruction has as many elements as
 * the one before it, and may go through them together with it, a block at a time.
 */
enum {
    TGL_INPUT, TGL_COPY, TGL_ADD_ONE, TGL_MATMUL, TGL_SUM, TGL_LOSSES, TGL_SLOPE, TGL_CONV,
    TGL_CONV_IMAGES, TGL_CONV_WEIGHTS, TGL_MAX_POOL, TGL_SCATTER, TGL_BATCH_NORM,
    TGL_NORMALIZE, TGL_NORM_SLOPES, TGL_TAKE_ROWS, TGL_ADD_ROWS, TGL_UPDATE, TGL_TAPE,
    TGL_MAP
};
enum {
    TGL_ADD, TGL_SUBTRACT, TGL_MULTIPLY, TGL_DIVIDE, TGL_NEGATIVE, TGL_ABS, TGL_SQRT,
    TGL_RELU_OF,        /* y = a where a > 0, else 0 */
    TGL_RELU_SLOPE,     /* y = a where b > 0, else a * 0 */
    TGL_SQUARED_DIFFERENCE,
    TGL_EXP, TGL_LOG, TGL_TANH, TGL_SIGMOID,
    TGL_MAPS
};
typedef struct {
    int kind, is_double, joined;
    void *x[8];
    int64_t n[8];
    double s[2];
    tgl_windows at;
} tgl_instruction;

/* Run a program. Returns n; or the number of the first instruction that meets an index out of
 * range, and has then not run what follows. */
size_t tgl_run(const tgl_instruction *program, size_t n);

#endif
