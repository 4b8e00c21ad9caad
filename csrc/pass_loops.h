/* pass_loops.h: plain passes over some elements of one tensor; see optimizer_loops.h. */

static void NAME(fill)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real value = (real)((const tgl_fill *)scalars)->value;
    for (size_t i = 0; i < n; i++)
        a[i] = value;
}

static void NAME(scale)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real value = (real)((const tgl_scale *)scalars)->value;
    for (size_t i = 0; i < n; i++)
        a[i] = value * a[i];
}

static void NAME(clip)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real low = (real)((const tgl_clip *)scalars)->low;
    const real high = (real)((const tgl_clip *)scalars)->high;
    for (size_t i = 0; i < n; i++) {
        const real raised = a[i] < low ? low : a[i]; /* a NaN stays */
        a[i] = raised > high ? high : raised;
    }
}

static void NAME(average)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real *restrict b = x[1];
    const tgl_average *p = scalars;
    const real decay = (real)p->decay;
    const real take = (real)(1 - p->decay);
    for (size_t i = 0; i < n; i++)
        a[i] = decay * a[i] + take * b[i];
}

static void NAME(add_scaled)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real *restrict b = x[1];
    const real value = (real)((const tgl_add_scaled *)scalars)->value;
    for (size_t i = 0; i < n; i++)
        a[i] = a[i] + value * b[i];
}

static void NAME(triad)(void *const *x, size_t n, const void *scalars)
{
    real *restrict a = x[0];
    const real *restrict b = x[1];
    const real *restrict c = x[2];
    const real value = (real)((const tgl_triad *)scalars)->value;
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] + value * c[i];
}

/* The sum of squares of at most TGL_BLOCK elements. */
static double NAME(square_sum)(const void *x, size_t n)
{
    const real *a = x;
    double lanes[TGL_LANES] = {0};
    size_t i = 0;
    for (; i + TGL_LANES <= n; i += TGL_LANES)
        for (size_t j = 0; j < TGL_LANES; j++)
            lanes[j] += (double)a[i + j] * (double)a[i + j];
    for (size_t j = 0; i + j < n; j++)
        lanes[j] += (double)a[i + j] * (double)a[i + j];
    double sum = lanes[0];
    for (size_t j = 1; j < TGL_LANES; j++)
        sum += lanes[j];
    return sum;
}
