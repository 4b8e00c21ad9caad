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
 * with compiled.ABI on import, so that an outdated compiled module is never called. */
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

#endif
