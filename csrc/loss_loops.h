/* loss_loops.h: softmax cross-entropy over rows of logits, the losses and their gradient.
 *
 * loops.h includes this file for each type, and defines what depends on the type. `restrict`
 * holds because Python allocates the outputs afresh. Rows do not touch one another, so any
 * range of rows [start, end) is a piece of work of its own.
 *
 * The loops are plain ones that compilers turn into wide vectors: a row is often shorter
 * than a vector (10 classes), so e^x runs over a block of whole rows at once; and a sum or a
 * maximum over a long row is kept in LANES parts, as its terms may not change their order.
 */

/* e^r for |r| <= ln(2) / 2, by its Taylor series. */
static inline real NAME(series_of_exp)(real r)
{
    real series = (real)inverse_factorial[TERMS];
    for (int i = TERMS - 1; i >= 0; i--)
        series = series * r + (real)inverse_factorial[i];
    return series;
}

/* e^x for x <= 0, and NaN for NaN: x = k ln 2 + r with |r| <= ln(2) / 2, e^x = 2^k e^r.
 * Adding SHIFTER, 1.5 * 2^MANTISSA + the exponent's bias, rounds to
 * the integer k, which then stands in the lowest bits: moved up, they are those of 2^k. No
 * branch and no conversion, or compilers would give up the vectors. */
static inline real NAME(exp_below_zero)(real x)
{
    const real shifted = x * (real)1.4426950408889634 + (real)SHIFTER;
    const real k = shifted - (real)SHIFTER;
    const real r = x - k * (real)LN2_HIGH - k * (real)LN2_LOW;
    bits exponent;
    real two_to_k;
    memcpy(&exponent, &shifted, sizeof exponent);
    exponent <<= MANTISSA;
    memcpy(&two_to_k, &exponent, sizeof two_to_k);
    return x < (real)LOWEST ? 0 : NAME(series_of_exp)(r) * two_to_k;
}

static inline real NAME(larger)(real x, real y)
{
    return x > y ? x : y;
}

/* The largest of x (n,); NaN, or not, if there is a NaN: the sum will see it. */
static inline real NAME(largest)(const real *restrict x, size_t n)
{
    real peak = x[0];
    size_t j = 0;
    if (n >= LANES) {
        real lane[LANES];
        for (size_t l = 0; l < LANES; l++)
            lane[l] = x[l];
        for (j = LANES; j + LANES <= n; j += LANES)
            for (size_t l = 0; l < LANES; l++)
                lane[l] = NAME(larger)(x[j + l], lane[l]);
        for (size_t l = 0; l < QUARTER; l++)
            lane[l] = NAME(larger)(
                NAME(larger)(lane[l], lane[l + QUARTER]),
                NAME(larger)(lane[l + 2 * QUARTER], lane[l + 3 * QUARTER]));
        for (size_t l = 0; l < QUARTER; l++)
            peak = NAME(larger)(lane[l], peak);
    }
    for (; j < n; j++)
        peak = NAME(larger)(x[j], peak);
    return peak;
}

/* The sum of x (n,). */
static inline real NAME(sum)(const real *restrict x, size_t n)
{
    real total = 0;
    size_t j = 0;
    if (n >= LANES) {
        real lane[LANES];
        for (size_t l = 0; l < LANES; l++)
            lane[l] = x[l];
        for (j = LANES; j + LANES <= n; j += LANES)
            for (size_t l = 0; l < LANES; l++)
                lane[l] += x[j + l];
        for (size_t l = 0; l < QUARTER; l++)
            lane[l] = (lane[l] + lane[l + QUARTER])
                + (lane[l + 2 * QUARTER] + lane[l + 3 * QUARTER]);
        for (size_t l = 0; l < QUARTER; l++)
            total += lane[l];
    }
    for (; j < n; j++)
        total += x[j];
    return total;
}

/* e = a - peak, (n,) */
static inline void NAME(below)(real *restrict e, const real *restrict a, real peak, size_t n)
{
    for (size_t j = 0; j < n; j++)
        e[j] = a[j] - peak;
}

/* e = exp(e), (n,), for e <= 0 */
static inline void NAME(exponential)(real *restrict e, size_t n)
{
    for (size_t j = 0; j < n; j++)
        e[j] = NAME(exp_below_zero)(e[j]);
}

/* The peak and the total of each row of a (n, c), for n * c <= LOSS_BLOCK. */
static void NAME(short_rows)(
    real *restrict peak, real *restrict total, const real *restrict a, size_t n, size_t c)
{
    real e[LOSS_BLOCK];
    for (size_t i = 0; i < n; i++) {
        peak[i] = NAME(largest)(a + i * c, c);
        NAME(below)(e + i * c, a + i * c, peak[i], c);
    }
    NAME(exponential)(e, n * c);
    for (size_t i = 0; i < n; i++)
        total[i] = NAME(sum)(e + i * c, c);
}

/* The peak and the total of one row a (c,). */
static void NAME(long_row)(
    real *restrict peak, real *restrict total, const real *restrict a, size_t c)
{
    real e[LOSS_BLOCK];
    *peak = NAME(largest)(a, c);
    *total = 0;
    for (size_t j = 0; j < c; j += LOSS_BLOCK) {
        const size_t n = c - j < LOSS_BLOCK ? c - j : LOSS_BLOCK;
        NAME(below)(e, a + j, *peak, n);
        NAME(exponential)(e, n);
        *total += NAME(sum)(e, n);
    }
}

/* How many rows of length c are worked on at a time. */
static inline size_t NAME(rows_of_block)(size_t c)
{
    return c == 0 || c > LOSS_BLOCK ? 1 : LOSS_BLOCK / c;
}

/* losses, peak, total and target are (n,), a (n, c). */
static void NAME(cross_entropy)(
    real *restrict losses, real *restrict peak, real *restrict total,
    const real *restrict a, const int64_t *restrict target, int64_t ignored,
    size_t start, size_t end, size_t c)
{
    const size_t rows = NAME(rows_of_block)(c);
    for (size_t i = start; i < end; i += rows) {
        const size_t n = end - i < rows ? end - i : rows;
        if (c <= LOSS_BLOCK)
            NAME(short_rows)(peak + i, total + i, a + i * c, n, c);
        else
            NAME(long_row)(peak + i, total + i, a + i * c, c);
    }
    for (size_t i = start; i < end; i++)
        if (target[i] == ignored) {
            losses[i] = 0;
            total[i] = (real)INFINITY;
        } else {
            losses[i] = logarithm(total[i]) + (peak[i] - a[i * c + (size_t)target[i]]);
        }
}

/* d and a are (n, c), target, peak and total (n,), g (n,) or, with step 0, one number. In d:
 * first a - peak, then e^d, then softmax(a) * g, less g at the target. */
static void NAME(cross_entropy_slope)(
    real *restrict d, const real *restrict a, const int64_t *restrict target,
    const real *restrict peak, const real *restrict total,
    const real *restrict g, size_t step,
    size_t start, size_t end, size_t c)
{
    const size_t rows = NAME(rows_of_block)(c);
    for (size_t i = start; i < end; i += rows) {
        const size_t stop = end - i < rows ? end : i + rows;
        for (size_t k = i; k < stop; k++)
            NAME(below)(d + k * c, a + k * c, peak[k], c);
        NAME(exponential)(d + i * c, (stop - i) * c);
        for (size_t k = i; k < stop; k++) {
            real *restrict row = d + k * c;
            if (total[k] == (real)INFINITY) {
                memset(row, 0, c * sizeof *row);
                continue;
            }
            const real scale = g[k * step] / total[k];
            for (size_t j = 0; j < c; j++)
                row[j] *= scale;
            row[target[k]] -= g[k * step];
        }
    }
}

/* The last column of y: the sum of the losses, 0, and how many rows count. The sums of blocks
 * are added up in double, as there may be millions of rows. */
static void NAME(last_column)(real *losses, real *peak, real *total, size_t n)
{
    double all = 0;
    size_t counted = 0;
    for (size_t i = 0; i < n; i += LOSS_BLOCK)
        all += (double)NAME(sum)(losses + i, n - i < LOSS_BLOCK ? n - i : LOSS_BLOCK);
    for (size_t i = 0; i < n; i++)
        counted += total[i] != (real)INFINITY;
    losses[n] = (real)all;
    peak[n] = 0;
    total[n] = counted > 0 ? (real)counted : (real)NAN;
}
