/* optimizer_loops.h: the update of some elements of one tensor, by each optimizer.
 *
 * loops.h includes this file for each type, and defines `real`, `square_root` and `NAME`. A
 * loop computes one element at a time, in the order of the formula in kernels.h and of
 * numpy_arrays: C and NumPy agree to the last bit. x holds a pointer for each array letter of
 * the kernel, p points to its scalars, `take` is 1 minus a scalar. `restrict` holds because
 * Python refuses arrays that overlap.
 *
 * An array that is optional is NULL where it is left out. The loop stands once, in an inline
 * function that is called with the array and without: each call becomes a loop of its own.
 */

/* d, the direction that the loss grows in (or falls in, to maximize), with L2 weight decay.
 * A decay of 0 adds nothing, not even the NaN that 0 * inf would be. */
static inline real NAME(direction)(real w, real g, double weight_decay, double maximize)
{
    const real d = maximize ? -g : g;
    return weight_decay != 0 ? d + (real)weight_decay * w : d;
}

static INLINE void NAME(sgd_loop)(
    real *restrict w, const real *restrict g, real *restrict b, size_t n, const tgl_sgd *p)
{
    const real lr = (real)p->lr;
    const real momentum = (real)p->momentum;
    const real take = (real)(1 - p->dampening);
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        real step = d;
        if (b) {
            b[i] = momentum * b[i] + take * d;
            step = p->nesterov ? d + momentum * b[i] : b[i];
        }
        w[i] = w[i] - lr * step;
    }
}

static void NAME(sgd)(void *const *x, size_t n, const void *scalars)
{
    if (x[2])
        NAME(sgd_loop)(x[0], x[1], x[2], n, scalars);
    else
        NAME(sgd_loop)(x[0], x[1], NULL, n, scalars);
}

static void NAME(momentum)(void *const *x, size_t n, const void *scalars)
{
    real *restrict w = x[0];
    const real *restrict g = x[1];
    real *restrict v = x[2];
    const tgl_momentum *p = scalars;
    const real lr = (real)p->lr;
    const real momentum = (real)p->momentum;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        v[i] = momentum * v[i] - lr * d;
        w[i] = w[i] + (p->nesterov ? momentum * v[i] - lr * d : v[i]);
    }
}

static void NAME(adagrad)(void *const *x, size_t n, const void *scalars)
{
    real *restrict w = x[0];
    const real *restrict g = x[1];
    real *restrict s = x[2];
    const tgl_adagrad *p = scalars;
    const real lr = (real)p->lr;
    const real inside = (real)p->inside;
    const real outside = (real)p->outside;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        s[i] = s[i] + d * d;
        w[i] = w[i] - lr * d / (square_root(s[i] + inside) + outside);
    }
}

static void NAME(adadelta)(void *const *x, size_t n, const void *scalars)
{
    real *restrict w = x[0];
    const real *restrict g = x[1];
    real *restrict s = x[2];
    real *restrict u = x[3];
    const tgl_adadelta *p = scalars;
    const real lr = (real)p->lr;
    const real rho = (real)p->rho;
    const real take = (real)(1 - p->rho);
    const real eps = (real)p->eps;
    for (size_t i = 0; i < n; i++) {
        real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        s[i] = rho * s[i] + take * d * d;
        d = square_root((u[i] + eps) / (s[i] + eps)) * d;
        u[i] = rho * u[i] + take * d * d;
        w[i] = w[i] - lr * d;
    }
}

static INLINE void NAME(rmsprop_loop)(
    real *restrict w, const real *restrict g, real *restrict s, real *restrict a,
    real *restrict b, size_t n, const tgl_rmsprop *p)
{
    const real lr = (real)p->lr;
    const real alpha = (real)p->alpha;
    const real take = (real)(1 - p->alpha);
    const real inside = (real)p->inside;
    const real outside = (real)p->outside;
    const real momentum = (real)p->momentum;
    for (size_t i = 0; i < n; i++) {
        real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        s[i] = alpha * s[i] + take * d * d;
        real spread = s[i];
        if (a) {
            a[i] = alpha * a[i] + take * d;
            spread = s[i] - a[i] * a[i];
        }
        d = d / (square_root(spread + inside) + outside);
        if (b) {
            b[i] = momentum * b[i] + d;
            d = b[i];
        }
        w[i] = w[i] - lr * d;
    }
}

static void NAME(rmsprop)(void *const *x, size_t n, const void *scalars)
{
    if (x[3] && x[4])
        NAME(rmsprop_loop)(x[0], x[1], x[2], x[3], x[4], n, scalars);
    else if (x[3])
        NAME(rmsprop_loop)(x[0], x[1], x[2], x[3], NULL, n, scalars);
    else if (x[4])
        NAME(rmsprop_loop)(x[0], x[1], x[2], NULL, x[4], n, scalars);
    else
        NAME(rmsprop_loop)(x[0], x[1], x[2], NULL, NULL, n, scalars);
}

/* The larger of two; NaN if one of them is. */
static inline real NAME(larger_or_nan)(real a, real b)
{
    return ((a >= b) | (a != a)) ? a : b;
}

static INLINE void NAME(adam_loop)(
    real *restrict w, const real *restrict g, real *restrict m, real *restrict v,
    real *restrict x, size_t n, const tgl_adam *p)
{
    const real beta1 = (real)p->beta1;
    const real beta2 = (real)p->beta2;
    const real take1 = (real)(1 - p->beta1);
    const real take2 = (real)(1 - p->beta2);
    const real shrink = (real)p->shrink;
    const real rate = (real)(p->lr / p->c1);
    const real scale = (real)(1 / sqrt(p->c2));
    const real eps = (real)p->eps;
    for (size_t i = 0; i < n; i++) {
        const real d = NAME(direction)(w[i], g[i], p->weight_decay, p->maximize);
        m[i] = beta1 * m[i] + take1 * d;
        v[i] = beta2 * v[i] + take2 * d * d;
        real top = v[i];
        if (x) {
            top = NAME(larger_or_nan)(x[i], v[i]);
            x[i] = top;
        }
        w[i] = shrink * w[i] - rate * m[i] / (square_root(top) * scale + eps);
    }
}

static void NAME(adam)(void *const *x, size_t n, const void *scalars)
{
    if (x[4])
        NAME(adam_loop)(x[0], x[1], x[2], x[3], x[4], n, scalars);
    else
        NAME(adam_loop)(x[0], x[1], x[2], x[3], NULL, n, scalars);
}
