/* loss_loops.h: cross-entropy of logits, loss and gradient in one pass.
 *
 * loops.h includes this file for each type, and defines what depends on the type. `restrict` holds because Python allocates the outputs afresh.
 */

/* e^x for x <= 0, and NaN for NaN: x = k ln 2 + r with |r| <= ln(2) / 2, e^x = 2^k e^r, and
 * e^r by its Taylor series. A plain loop over it becomes wide vectors; one over exp() does
 * not. */
static inline real NAME(exp_below_zero)(real x)
{
    const real t = x > LOWEST ? x : LOWEST;
    const int k = (int)(t * (real)1.4426950408889634 - (real)0.5); /* to the nearest */
    const real r = t - (real)k * (real)LN2_HIGH - (real)k * (real)LN2_LOW;
    real series = (real)inverse_factorial[TERMS];
    for (int i = TERMS - 1; i >= 0; i--)
        series = series * r + (real)inverse_factorial[i];
    const bits exponent = ((bits)k + BIAS) << MANTISSA;
    real two_to_k;
    memcpy(&two_to_k, &exponent, sizeof two_to_k);
    if (x > LOWEST)
        return series * two_to_k;
    return x <= LOWEST ? 0 : x;
}

/* d is (n, c), losses and target (n,), a (n, c). First d = a - max of its row, then
 * d = e^d, then d = softmax(a) - onehot(target). */
static void NAME(cross_entropy)(
    real *restrict losses, real *restrict d,
    const real *restrict a, const int64_t *restrict target, size_t n, size_t c)
{
    for (size_t i = 0; i < n; i++) {
        const real *row = a + i * c;
        real peak = row[0];
        for (size_t j = 1; j < c; j++)
            peak = row[j] > peak ? row[j] : peak;
        for (size_t j = 0; j < c; j++)
            d[i * c + j] = row[j] - peak;
        losses[i] = -d[i * c + (size_t)target[i]];
    }
    for (size_t i = 0; i < n * c; i++)
        d[i] = NAME(exp_below_zero)(d[i]);
    for (size_t i = 0; i < n; i++) {
        real *row = d + i * c;
        real total = 0;
        for (size_t j = 0; j < c; j++)
            total += row[j];
        losses[i] += logarithm(total);
        for (size_t j = 0; j < c; j++)
            row[j] /= total;
        row[target[i]] -= 1;
    }
}
