/* map_loops.h: results whose elements depend on those at the same place; see kernels.h.
 *
 * loops.h includes this file for each type. A step is 1, or 0 for one number that stands for
 * all. y may be a or b: an element is read before it is written.
 */

/* e^x for any x, as exp_below_zero has it, but with 2^k in two factors, since the largest
 * results are above the largest 2^k. */
static inline real NAME(exp_of)(real x)
{
    const real above = x > 0 ? 1 : 0;
    const real held = x < (real)HIGHEST ? x : (real)HIGHEST;
    const real shifted = held * (real)1.4426950408889634 + (real)SHIFTER;
    const real k = shifted - (real)SHIFTER;
    const real r = held - k * (real)LN2_HIGH - k * (real)LN2_LOW;
    const real reduced = shifted - above;
    bits exponent;
    real two_to_k;
    memcpy(&exponent, &reduced, sizeof exponent);
    exponent <<= MANTISSA;
    memcpy(&two_to_k, &exponent, sizeof two_to_k);
    const real y = NAME(series_of_exp)(r) * two_to_k * (1 + above);
    const real bounded = x < (real)LOWEST ? 0 : x > (real)HIGHEST ? (real)INFINITY : y;
    return x == x ? bounded : x;
}

/* e^x - 1 for x <= 0: near 0 the series without its 1, so that nothing cancels. */
static inline real NAME(exp_less_one)(real x)
{
    real series = (real)inverse_factorial[TERMS];
    for (int i = TERMS - 1; i >= 1; i--)
        series = series * x + (real)inverse_factorial[i];
    return x > (real)-0.34 ? series * x : NAME(exp_below_zero)(x) - 1;
}

static inline real NAME(tanh_of)(real x)
{
    const real size = x < 0 ? -x : x;
    const real t = NAME(exp_less_one)(-2 * size);
    const real y = -t / (2 + t);
    return x < 0 ? -y : x == 0 ? x : y;
}

static inline real NAME(sigmoid_of)(real x)
{
    const real e = NAME(exp_below_zero)(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

/* A loop for each pair of steps, so that the compiler knows them. */
#define MAP(name, formula) \
    static INLINE void NAME(name##_steps)( \
        real *y, const real *p, const real *q, size_t p_step, size_t q_step, size_t n) \
    { \
        for (size_t i = 0; i < n; i++) { \
            const real a = p[i * p_step]; \
            const real b = q[i * q_step]; \
            (void)b; \
            y[i] = formula; \
        } \
    } \
    static void NAME(map_##name)( \
        real *y, const real *p, const real *q, size_t p_step, size_t q_step, size_t n) \
    { \
        if (p_step && q_step) \
            NAME(name##_steps)(y, p, q, 1, 1, n); \
        else if (p_step) \
            NAME(name##_steps)(y, p, q, 1, 0, n); \
        else \
            NAME(name##_steps)(y, p, q, 0, q_step ? 1 : 0, n); \
    }

MAP(add, a + b)
MAP(subtract, a - b)
MAP(multiply, a * b)
MAP(divide, a / b)
MAP(negative, -a)
MAP(abs, a < 0 ? -a : a == 0 ? 0 : a)
MAP(sqrt, square_root(a))
MAP(relu, a <= 0 ? 0 : a)
MAP(relu_slope, a * (real)(b > 0))
MAP(squared_difference, (a - b) * (a - b))
MAP(exp, NAME(exp_of)(a))
MAP(log, logarithm(a))
MAP(tanh, NAME(tanh_of)(a))
MAP(sigmoid, NAME(sigmoid_of)(a))
#undef MAP

/* y[c] = scale * sum of a[o][c][i]; a is (outer, channels, inner). Long rows are summed up in
 * pieces, whose sums are added in double; columns in the order of o, as NumPy does. */
static void NAME(sum_channels)(
    real *restrict y, const real *restrict a, size_t outer, size_t channels, size_t inner,
    double scale)
{
    if (inner == 1) {
        for (size_t c = 0; c < channels; c++)
            y[c] = 0;
        for (size_t o = 0; o < outer; o++)
            for (size_t c = 0; c < channels; c++)
                y[c] += a[o * channels + c];
        for (size_t c = 0; c < channels && scale != 1; c++)
            y[c] *= (real)scale;
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        double total = 0;
        for (size_t o = 0; o < outer; o++)
            for (size_t i = 0; i < inner; i += LOSS_BLOCK) {
                const size_t n = inner - i < LOSS_BLOCK ? inner - i : LOSS_BLOCK;
                total += NAME(sum)(a + (o * channels + c) * inner + i, n);
            }
        y[c] = (real)(total * scale);
    }
}
