/* kernels.h: every function of the compiled module, with the formula that it computes.
 *
 * Two readers: the C compiler, and cffi (build_kernels.py), which skips the lines that begin
 * with a hash. So: plain prototypes, no macros.
 *
 * One call updates a whole group of tensors. Each array argument is a table of pointers, one
 * for each tensor: tensor k has n[k] elements at w[k], g[k], ... What is written comes first,
 * then what is only read, then sizes, then scalars. Nothing is allocated, nothing is kept
 * between two calls. The arrays that are written must not overlap any other array.
 *
 * Scalars are doubles. What follows from scalars alone, like 1 - beta1 or lr / c1, is computed
 * once, in double, and then rounded to the type of the arrays.
 *
 * Letters, here, in optimizer_loops.h and in the Python bodies:
 *   w  weights, updated        g  gradient, only read        d  direction of descent:
 *        d = -g if maximize else g
 *        d = d + weight_decay * w, if weight_decay is not 0
 */
#ifndef TINYGRAD_LITE_KERNELS_H
#define TINYGRAD_LITE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Number of this interface. It changes with any prototype or meaning below, and is compared
 * with native.ABI on import, so that an outdated compiled module is never called. */
int tgl_abi(void);

/* Gradient descent.
 *   w = w - lr * d
 */
void tgl_sgd_f32(
    float *const *w, const float *const *g, const size_t *n, size_t tensors,
    double lr, double weight_decay, int maximize);
void tgl_sgd_f64(
    double *const *w, const double *const *g, const size_t *n, size_t tensors,
    double lr, double weight_decay, int maximize);

/* Gradient descent with momentum, as PyTorch has it; b is the momentum buffer. The caller
 * passes dampening = 0 on a tensor's first step, when b is still 0.
 *   b = momentum * b + (1 - dampening) * d
 *   w = w - lr * (d + momentum * b if nesterov else b)
 */
void tgl_sgd_momentum_f32(
    float *const *w, float *const *b, const float *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double dampening, int nesterov,
    double weight_decay, int maximize);
void tgl_sgd_momentum_f64(
    double *const *w, double *const *b, const double *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double dampening, int nesterov,
    double weight_decay, int maximize);

/* Momentum, as textbooks have it; v is the velocity, which contains the learning rate.
 *   v = momentum * v - lr * d
 *   w = w + v
 */
void tgl_momentum_f32(
    float *const *w, float *const *v, const float *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double weight_decay, int maximize);
void tgl_momentum_f64(
    double *const *w, double *const *v, const double *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double weight_decay, int maximize);

/* AdaGrad (Duchi, Hazan and Singer 2011); s is the sum of squared gradients.
 *   s = s + d * d
 *   w = w - lr * d / (sqrt(s) + eps)
 */
void tgl_adagrad_f32(
    float *const *w, float *const *s, const float *const *g, const size_t *n, size_t tensors,
    double lr, double eps, double weight_decay, int maximize);
void tgl_adagrad_f64(
    double *const *w, double *const *s, const double *const *g, const size_t *n, size_t tensors,
    double lr, double eps, double weight_decay, int maximize);

/* Adam (Kingma and Ba 2015, algorithm 1); m and v are the running means of d and of d * d.
 * The caller passes the bias corrections c1 = 1 - beta1^t and c2 = 1 - beta2^t of step t.
 *   m = beta1 * m + (1 - beta1) * d
 *   v = beta2 * v + (1 - beta2) * d * d
 *   w = w - (lr / c1) * m / (sqrt(v) / sqrt(c2) + eps)
 */
void tgl_adam_f32(
    float *const *w, float *const *m, float *const *v, const float *const *g,
    const size_t *n, size_t tensors,
    double lr, double beta1, double beta2, double eps,
    double weight_decay, int maximize, double c1, double c2);
void tgl_adam_f64(
    double *const *w, double *const *m, double *const *v, const double *const *g,
    const size_t *n, size_t tensors,
    double lr, double beta1, double beta2, double eps,
    double weight_decay, int maximize, double c1, double c2);

/* Cross-entropy of logits a (n, c) with class ids target (n,), and its gradient.
 *   losses = ln(sum over j of e^a[i][j]) - a[i][target[i]]        (n,)
 *   d      = softmax(a) - onehot(target)                          (n, c)
 * Returns n; or, if an id is not in 0 .. c - 1, the first such row, and writes nothing.
 */
size_t tgl_cross_entropy_f32(
    float *losses, float *d, const float *a, const int64_t *target, size_t n, size_t c);
size_t tgl_cross_entropy_f64(
    double *losses, double *d, const double *a, const int64_t *target, size_t n, size_t c);

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
 * in the padding. A call does the images begin .. end - 1, as do all functions below.
 *   im2col:  cols[i][ky][kx][oy][ox] = x[i][iy][ix]
 *   col2im:  x[i][iy][ix] = sum of cols[i][ky][kx][oy][ox] over all places that read it
 */
void tgl_im2col_f32(
    float *cols, const float *x, const tgl_windows *at, size_t begin, size_t end);
void tgl_im2col_f64(
    double *cols, const double *x, const tgl_windows *at, size_t begin, size_t end);
void tgl_col2im_f32(
    float *x, const float *cols, const tgl_windows *at, size_t begin, size_t end);
void tgl_col2im_f64(
    double *x, const double *cols, const tgl_windows *at, size_t begin, size_t end);

/* The largest pixel of each window, and where it is: index = iy * width + ix. Of equal ones
 * the first wins, a NaN over all numbers, and the padding never.
 *   y[i][oy][ox] = max of x[i][iy][ix] = x[i][index[i][oy][ox]]
 */
void tgl_max_pool_f32(
    float *y, int32_t *index, const float *x, const tgl_windows *at, size_t begin, size_t end);
void tgl_max_pool_f64(
    double *y, int32_t *index, const double *x, const tgl_windows *at, size_t begin, size_t end);

/* Reading at an index, and its adjoint. An image x has `pixels` elements, of which y names
 * `outputs` by their index.
 *   gather:   y[i][o] = x[i][index[i][o]]
 *   scatter:  x[i][index] = sum of y[i][o] over all o with this index
 * Both return 1; or 0, and have not finished, if an index is not in 0 .. pixels - 1.
 */
int tgl_gather_f32(
    float *y, const float *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end);
int tgl_gather_f64(
    double *y, const double *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end);
int tgl_scatter_f32(
    float *x, const float *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end);
int tgl_scatter_f64(
    double *x, const double *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end);

/* The mean of each window, and its adjoint. Window (oy, ox) has the rows rows[oy] up to, not
 * including, rows[out_h + oy], the columns likewise, and is divided by divisor[oy][ox].
 *   average:  y[i][oy][ox] = (sum of x[i][iy][ix] over the window) / divisor[oy][ox]
 *   spread:   x[i][iy][ix] = sum of y[i][oy][ox] / divisor[oy][ox] over its windows
 */
void tgl_average_f32(
    float *y, const float *x, const int64_t *rows, const int64_t *columns,
    const float *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end);
void tgl_average_f64(
    double *y, const double *x, const int64_t *rows, const int64_t *columns,
    const double *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end);
void tgl_spread_f32(
    float *x, const float *y, const int64_t *rows, const int64_t *columns,
    const float *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end);
void tgl_spread_f64(
    double *x, const double *y, const int64_t *rows, const int64_t *columns,
    const double *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end);

/* Batch normalization (Ioffe and Szegedy 2015, algorithm 1). x, y and g are (n, c, s), the
 * rest has c elements; m = n * s numbers share a channel, or m = 1 if none. A call does the
 * channels begin .. end - 1. Sums run in double.
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
    size_t n, size_t c, size_t s, double eps, double share, size_t begin, size_t end);
void tgl_batch_norm_f64(
    double *y, double *mean, double *var, double *running_mean, double *running_var,
    const double *x, const double *w, const double *b,
    size_t n, size_t c, size_t s, double eps, double share, size_t begin, size_t end);
void tgl_normalize_f32(
    float *y, const float *x, const float *w, const float *b,
    const float *mean, const float *var,
    size_t n, size_t c, size_t s, double eps, size_t begin, size_t end);
void tgl_normalize_f64(
    double *y, const double *x, const double *w, const double *b,
    const double *mean, const double *var,
    size_t n, size_t c, size_t s, double eps, size_t begin, size_t end);
void tgl_batch_norm_slopes_f32(
    float *dx, float *dw, float *db, const float *g, const float *x, const float *w,
    const float *mean, const float *var,
    size_t n, size_t c, size_t s, double eps, int training, size_t begin, size_t end);
void tgl_batch_norm_slopes_f64(
    double *dx, double *dw, double *db, const double *g, const double *x, const double *w,
    const double *mean, const double *var,
    size_t n, size_t c, size_t s, double eps, int training, size_t begin, size_t end);

#endif
