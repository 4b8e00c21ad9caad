/* activation_loops.h: activations and their gradients, one element at a time.
 *
 * loops.h includes this file for each type; the formulas are in kernels.h.
 */
static void NAME(relu)(real *restrict y, const real *restrict a, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        y[i] = a[i] <= 0 ? 0 : a[i];
}

static void NAME(relu_slope)(
    real *restrict d, const real *restrict g, const real *restrict y, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        d[i] = g[i] * (y[i] > 0 ? (real)1 : (real)0);
}
