/* batchnorm_loops.h: batch normalization and its gradients.
 *
 * loops.h includes this file for each type. Numbers of one channel lie in n rows of s
 * neighbours; where s is 1, neighbours are of different channels instead, and the loops go over
 * up to CHANNELS of them side by side. Sums run in double and in LANES parts, which a wide
 * vector adds at once: they agree with NumPy's to rounding.
 * `restrict` holds because Python allocates the outputs afresh.
 */

/* total[l] += the sum of every LANES-th number of a row */
static inline void NAME(add_sum)(double *restrict total, const real *restrict x, size_t s)
{
    size_t j = 0;
    for (; j + LANES <= s; j += LANES)
        for (size_t l = 0; l < LANES; l++)
            total[l] += (double)x[j + l];
    for (size_t l = 0; j + l < s; l++)
        total[l] += (double)x[j + l];
}

/* total[l] += the same sum of (x - mean)^2 */
static inline void NAME(add_squares)(
    double *restrict total, const real *restrict x, double mean, size_t s)
{
    size_t j = 0;
    for (; j + LANES <= s; j += LANES)
        for (size_t l = 0; l < LANES; l++) {
            const double d = (double)x[j + l] - mean;
            total[l] += d * d;
        }
    for (size_t l = 0; j + l < s; l++) {
        const double d = (double)x[j + l] - mean;
        total[l] += d * d;
    }
}

/* total[l] += the same sum of g, and products[l] += that of g * (x - mean); `real` holds the
 * sums of up to STEPS numbers at a time, which are of one size, and double the rest */
static inline void NAME(add_slopes)(
    double *restrict total, double *restrict products,
    const real *restrict g, const real *restrict x, real mean, size_t s)
{
    size_t j = 0;
    while (j + LANES <= s) {
        real some[LANES] = {0};
        real product[LANES] = {0};
        for (size_t step = 0; step < STEPS && j + LANES <= s; step++, j += LANES)
            for (size_t l = 0; l < LANES; l++) {
                some[l] += g[j + l];
                product[l] += g[j + l] * (x[j + l] - mean);
            }
        for (size_t l = 0; l < LANES; l++) {
            total[l] += (double)some[l];
            products[l] += (double)product[l];
        }
    }
    for (size_t l = 0; j + l < s; l++) {
        total[l] += (double)g[j + l];
        products[l] += (double)g[j + l] * (double)(x[j + l] - mean);
    }
}

static inline double NAME(sum_of)(const double *total)
{
    double sum = 0;
    for (size_t l = 0; l < LANES; l++)
        sum += total[l];
    return sum;
}

/* ---- s other than 1: one channel after another ---- */

/* running = (1 - share) * running + share * found, if there is a running one */
static inline void NAME(follow)(real *running, size_t k, double found, double share)
{
    if (running)
        running[k] = (real)((1 - share) * (double)running[k] + share * found);
}

static inline void NAME(normalize_row)(
    real *restrict y, const real *restrict x, real scale, real middle, real shift, size_t s)
{
    for (size_t j = 0; j < s; j++)
        y[j] = (x[j] - middle) * scale + shift;
}

static void NAME(batch_norm_of_rows)(
    real *restrict y, real *restrict mean, real *restrict var,
    real *restrict running_mean, real *restrict running_var,
    const real *restrict x, const real *restrict w, const real *restrict b,
    size_t n, size_t c, size_t s, double eps, double share, size_t begin, size_t end)
{
    const double m = (double)count(n * s);
    for (size_t k = begin; k < end; k++) {
        double total[LANES] = {0};
        double squares[LANES] = {0};
        for (size_t i = 0; i < n; i++)
            NAME(add_sum)(total, x + (i * c + k) * s, s);
        const double middle = NAME(sum_of)(total) / m;
        for (size_t i = 0; i < n; i++)
            NAME(add_squares)(squares, x + (i * c + k) * s, middle, s);
        const double square = NAME(sum_of)(squares);
        mean[k] = (real)middle;
        var[k] = (real)(square / m);
        NAME(follow)(running_mean, k, middle, share);
        NAME(follow)(running_var, k, square / (m - 1), share);
        const real scale = (real)((double)w[k] / sqrt((double)var[k] + eps));
        for (size_t i = 0; i < n; i++)
            NAME(normalize_row)(
                y + (i * c + k) * s, x + (i * c + k) * s, scale, mean[k], b[k], s);
    }
}

static void NAME(normalize_rows)(
    real *restrict y, const real *restrict x, const real *restrict w, const real *restrict b,
    const real *restrict mean, const real *restrict var,
    size_t n, size_t c, size_t s, double eps, size_t begin, size_t end)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = begin; k < end; k++) {
            const real scale = (real)((double)w[k] / sqrt((double)var[k] + eps));
            NAME(normalize_row)(
                y + (i * c + k) * s, x + (i * c + k) * s, scale, mean[k], b[k], s);
        }
}

static void NAME(slopes_of_rows)(
    real *restrict dx, real *restrict dw, real *restrict db,
    const real *restrict g, const real *restrict x, const real *restrict w,
    const real *restrict mean, const real *restrict var,
    size_t n, size_t c, size_t s, double eps, int training, size_t begin, size_t end)
{
    const double m = (double)count(n * s);
    for (size_t k = begin; k < end; k++) {
        double total[LANES] = {0};
        double products[LANES] = {0};
        for (size_t i = 0; i < n; i++) {
            const size_t first = (i * c + k) * s;
            NAME(add_slopes)(total, products, g + first, x + first, mean[k], s);
        }
        const double r = 1 / sqrt((double)var[k] + eps);
        const double sum_g = NAME(sum_of)(total);
        const double sum_gh = NAME(sum_of)(products) * r;
        db[k] = (real)sum_g;
        dw[k] = (real)sum_gh;
        const real scale = (real)((double)w[k] * r);
        const real middle = mean[k];
        const real shift = training ? (real)(sum_g / m) : 0;
        const real slope = training ? (real)(sum_gh * r / m) : 0;
        for (size_t i = 0; i < n; i++) {
            const size_t first = (i * c + k) * s;
            for (size_t j = first; j < first + s; j++)
                dx[j] = (g[j] - shift - (x[j] - middle) * slope) * scale;
        }
    }
}

/* ---- s = 1: up to CHANNELS channels, beginning with channel k, side by side ---- */

/* mean and var of those channels, and the running ones that follow */
static void NAME(moments_of_columns)(
    real *restrict mean, real *restrict var,
    real *restrict running_mean, real *restrict running_var, const real *restrict x,
    size_t n, size_t c, double share, size_t k, size_t channels)
{
    const double m = (double)count(n);
    double total[CHANNELS] = {0};
    double squares[CHANNELS] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < channels; l++)
            total[l] += (double)x[i * c + k + l];
    for (size_t l = 0; l < channels; l++)
        total[l] /= m;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < channels; l++) {
            const double d = (double)x[i * c + k + l] - total[l];
            squares[l] += d * d;
        }
    for (size_t l = 0; l < channels; l++) {
        mean[k + l] = (real)total[l];
        var[k + l] = (real)(squares[l] / m);
        NAME(follow)(running_mean, k + l, total[l], share);
        NAME(follow)(running_var, k + l, squares[l] / (m - 1), share);
    }
}

static void NAME(normalize_columns)(
    real *restrict y, const real *restrict x, const real *restrict w, const real *restrict b,
    const real *restrict mean, const real *restrict var,
    size_t n, size_t c, double eps, size_t k, size_t channels)
{
    real scale[CHANNELS];
    for (size_t l = 0; l < channels; l++)
        scale[l] = (real)((double)w[k + l] / sqrt((double)var[k + l] + eps));
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < channels; l++)
            y[i * c + k + l] = (x[i * c + k + l] - mean[k + l]) * scale[l] + b[k + l];
}

static void NAME(slopes_of_columns)(
    real *restrict dx, real *restrict dw, real *restrict db,
    const real *restrict g, const real *restrict x, const real *restrict w,
    const real *restrict mean, const real *restrict var,
    size_t n, size_t c, double eps, int training, size_t k, size_t channels)
{
    const double m = (double)count(n);
    double total[CHANNELS] = {0};
    double products[CHANNELS] = {0};
    real scale[CHANNELS];
    real shift[CHANNELS];
    real slope[CHANNELS];
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < channels; l++) {
            const double d = (double)g[i * c + k + l];
            total[l] += d;
            products[l] += d * ((double)x[i * c + k + l] - (double)mean[k + l]);
        }
    for (size_t l = 0; l < channels; l++) {
        const double r = 1 / sqrt((double)var[k + l] + eps);
        db[k + l] = (real)total[l];
        dw[k + l] = (real)(products[l] * r);
        scale[l] = (real)((double)w[k + l] * r);
        shift[l] = training ? (real)(total[l] / m) : 0;
        slope[l] = training ? (real)(products[l] * r * r / m) : 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < channels; l++) {
            const size_t j = i * c + k + l;
            dx[j] = (g[j] - shift[l] - (x[j] - mean[k + l]) * slope[l]) * scale[l];
        }
}

/* One layout or the other. */

static void NAME(batch_norm)(
    real *y, real *mean, real *var, real *running_mean, real *running_var,
    const real *x, const real *w, const real *b,
    size_t n, size_t c, size_t s, double eps, double share, size_t begin, size_t end)
{
    if (n * s == 0) { /* nothing to follow */
        running_mean = NULL;
        running_var = NULL;
    }
    if (s != 1) {
        NAME(batch_norm_of_rows)(
            y, mean, var, running_mean, running_var, x, w, b, n, c, s, eps, share, begin, end);
        return;
    }
    for (size_t k = begin; k < end; k += CHANNELS) {
        const size_t channels = block(end - k);
        NAME(moments_of_columns)(
            mean, var, running_mean, running_var, x, n, c, share, k, channels);
        NAME(normalize_columns)(y, x, w, b, mean, var, n, c, eps, k, channels);
    }
}

static void NAME(normalize)(
    real *y, const real *x, const real *w, const real *b, const real *mean, const real *var,
    size_t n, size_t c, size_t s, double eps, size_t begin, size_t end)
{
    if (s != 1) {
        NAME(normalize_rows)(y, x, w, b, mean, var, n, c, s, eps, begin, end);
        return;
    }
    for (size_t k = begin; k < end; k += CHANNELS)
        NAME(normalize_columns)(y, x, w, b, mean, var, n, c, eps, k, block(end - k));
}

static void NAME(batch_norm_slopes)(
    real *dx, real *dw, real *db, const real *g, const real *x, const real *w,
    const real *mean, const real *var,
    size_t n, size_t c, size_t s, double eps, int training, size_t begin, size_t end)
{
    if (s != 1) {
        NAME(slopes_of_rows)(
            dx, dw, db, g, x, w, mean, var, n, c, s, eps, training, begin, end);
        return;
    }
    for (size_t k = begin; k < end; k += CHANNELS)
        NAME(slopes_of_columns)(
            dx, dw, db, g, x, w, mean, var, n, c, eps, training, k, block(end - k));
}
