/* optimizer_loops.h: the update of one tensor, and of a group of tensors, by each optimizer.
 *
 * optimizers.c includes this file once for each type (hence no include guard) and defines
 * `real`, `square_root`, `NAME` and `WIDE` for it. A loop computes one element at a time, in
 * the order of the formula in kernels.h and of numpy_arrays.py: C and NumPy agree to the last
 * bit. `restrict` holds because Python refuses arrays that overlap: it lets the compiler
 * vectorize.
 */

/* d, the direction that the loss grows in (or falls in, to maximize), with L2 weight decay.
 * A decay of 0 adds nothing, not even the NaN that 0 * inf would be. */
static inline real NAME(direction)(real w, real g, double weight_decay, int maximize)
{
    const real d = maximize ? -g : g;
    return weight_decay != 0 ? d + (real)weight_decay * w : d;
}

WIDE static void NAME(sgd)(
    real *restrict w, const real *restrict g, size_t n,
    double lr, double weight_decay, int maximize)
{
    const real rate = (real)lr;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], weight_decay, maximize);
        w[i] = w[i] - rate * d;
    }
}

WIDE static void NAME(sgd_momentum)(
    real *restrict w, real *restrict b, const real *restrict g, size_t n,
    double lr, double momentum, double dampening, int nesterov,
    double weight_decay, int maximize)
{
    const real rate = (real)lr;
    const real keep = (real)momentum;
    const real take = (real)(1 - dampening);
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], weight_decay, maximize);
        b[i] = keep * b[i] + take * d;
        w[i] = w[i] - rate * (nesterov ? d + keep * b[i] : b[i]);
    }
}

WIDE static void NAME(momentum)(
    real *restrict w, real *restrict v, const real *restrict g, size_t n,
    double lr, double momentum, double weight_decay, int maximize)
{
    const real rate = (real)lr;
    const real keep = (real)momentum;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], weight_decay, maximize);
        v[i] = keep * v[i] - rate * d;
        w[i] = w[i] + v[i];
    }
}

WIDE static void NAME(adagrad)(
    real *restrict w, real *restrict s, const real *restrict g, size_t n,
    double lr, double eps, double weight_decay, int maximize)
{
    const real rate = (real)lr;
    const real tiny = (real)eps;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], weight_decay, maximize);
        s[i] = s[i] + d * d;
        w[i] = w[i] - rate * d / (square_root(s[i]) + tiny);
    }
}

WIDE static void NAME(adam)(
    real *restrict w, real *restrict m, real *restrict v, const real *restrict g, size_t n,
    double lr, double beta1, double beta2, double eps,
    double weight_decay, int maximize, double c1, double c2)
{
    const real keep1 = (real)beta1;
    const real keep2 = (real)beta2;
    const real take1 = (real)(1 - beta1);
    const real take2 = (real)(1 - beta2);
    const real rate = (real)(lr / c1);
    const real root = (real)sqrt(c2);
    const real tiny = (real)eps;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], weight_decay, maximize);
        m[i] = keep1 * m[i] + take1 * d;
        v[i] = keep2 * v[i] + take2 * d * d;
        w[i] = w[i] - rate * m[i] / (square_root(v[i]) / root + tiny);
    }
}

/* The exported functions: the loops above, over the tensors of a group. */

void NAME(tgl_sgd)(
    real *const *w, const real *const *g, const size_t *n, size_t tensors,
    double lr, double weight_decay, int maximize)
{
    for (size_t k = 0; k < tensors; k++)
        NAME(sgd)(w[k], g[k], n[k], lr, weight_decay, maximize);
}

void NAME(tgl_sgd_momentum)(
    real *const *w, real *const *b, const real *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double dampening, int nesterov,
    double weight_decay, int maximize)
{
    for (size_t k = 0; k < tensors; k++)
        NAME(sgd_momentum)(
            w[k], b[k], g[k], n[k],
            lr, momentum, dampening, nesterov, weight_decay, maximize);
}

void NAME(tgl_momentum)(
    real *const *w, real *const *v, const real *const *g, const size_t *n, size_t tensors,
    double lr, double momentum, double weight_decay, int maximize)
{
    for (size_t k = 0; k < tensors; k++)
        NAME(momentum)(w[k], v[k], g[k], n[k], lr, momentum, weight_decay, maximize);
}

void NAME(tgl_adagrad)(
    real *const *w, real *const *s, const real *const *g, const size_t *n, size_t tensors,
    double lr, double eps, double weight_decay, int maximize)
{
    for (size_t k = 0; k < tensors; k++)
        NAME(adagrad)(w[k], s[k], g[k], n[k], lr, eps, weight_decay, maximize);
}

void NAME(tgl_adam)(
    real *const *w, real *const *m, real *const *v, const real *const *g,
    const size_t *n, size_t tensors,
    double lr, double beta1, double beta2, double eps,
    double weight_decay, int maximize, double c1, double c2)
{
    for (size_t k = 0; k < tensors; k++)
        NAME(adam)(
            w[k], m[k], v[k], g[k], n[k],
            lr, beta1, beta2, eps, weight_decay, maximize, c1, c2);
}
