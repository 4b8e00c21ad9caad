/* pooling_loops.h: the largest pixel and the mean of each window, and their adjoints.
 *
 * loops.h includes this file for each type. The order of arithmetic is that of the NumPy body:
 * C and NumPy agree to the last bit. `restrict` holds because Python allocates the outputs
 * afresh.
 */

/* y and index, for n windows of a row, against one more place each: line[ox * stride], whose
 * index is at + ox * stride. An index below 0 says that a window has seen no place yet. */
static inline void NAME(take_larger)(
    real *restrict y, int32_t *restrict index, const real *restrict line, int32_t at,
    int32_t n, int32_t stride)
{
    for (int32_t ox = 0; ox < n; ox++) {
        const real v = line[ox * stride];
        const int wins = (v > y[ox]) | (v != v) | (index[ox] < 0);
        y[ox] = wins ? v : y[ox];
        index[ox] = wins ? at + ox * stride : index[ox];
    }
}

/* the same for the place (ky, kx) of all windows in the rows from .. to - 1 */
static inline void NAME(larger_in_rows)(
    real *restrict y, int32_t *restrict index, const real *restrict x, const tgl_windows *at,
    int64_t ky, int64_t kx, int64_t from, int64_t to)
{
    const int64_t left = kx * at->dilation_w - at->left;
    int64_t first;
    int64_t last;
    inside(&first, &last, left, at->stride_w, at->width, at->out_w);
    for (int64_t oy = from; oy < to; oy++) {
        const int64_t iy = oy * at->stride_h - at->top + ky * at->dilation_h;
        if (iy < 0 || iy >= at->height)
            continue;
        const int64_t o = oy * at->out_w + first;
        const int32_t p = (int32_t)(iy * at->width + left + first * at->stride_w);
        const int32_t n = (int32_t)(last - first);
        if (at->stride_w == 2) /* a constant, which vectorizes */
            NAME(take_larger)(y + o, index + o, x + p, p, n, 2);
        else if (at->stride_w == 1)
            NAME(take_larger)(y + o, index + o, x + p, p, n, 1);
        else
            NAME(take_larger)(y + o, index + o, x + p, p, n, (int32_t)at->stride_w);
    }
}

/* y and index of n windows of 2 x 2, whose upper and lower pixels stand in a row each; `first`
 * is the index of the first pixel of a window, less `at`. All four places at once, in the order
 * of the loop above, for this is what most nets ask for. */
static inline void NAME(largest_of_four)(
    real *restrict y, int32_t *restrict index, const real *restrict upper,
    const real *restrict lower, const int32_t *restrict first, int32_t at, int32_t width,
    int32_t n)
{
    for (int32_t ox = 0; ox < n; ox++) {
        const real b = upper[2 * ox + 1];
        const real c = lower[2 * ox];
        const real d = lower[2 * ox + 1];
        real peak = upper[2 * ox];
        int32_t place = 0;
        int wins = (b > peak) | (b != b);
        peak = wins ? b : peak;
        place = wins ? 1 : place;
        wins = (c > peak) | (c != c);
        peak = wins ? c : peak;
        place = wins ? width : place;
        wins = (d > peak) | (d != d);
        peak = wins ? d : peak;
        place = wins ? width + 1 : place;
        y[ox] = peak;
        index[ox] = at + first[ox] + place;
    }
}

/* A row of windows is often shorter than a vector, so those of several rows, POOL_BLOCK at
 * most, or a part of one row, are put side by side first. */
static void NAME(max_pool_of_four)(
    real *restrict y, int32_t *restrict index, const real *restrict x, const tgl_windows *at,
    size_t begin, size_t end)
{
    real upper[2 * POOL_BLOCK];
    real lower[2 * POOL_BLOCK];
    int32_t first[POOL_BLOCK];
    const int64_t width = at->width;
    const int64_t columns = at->out_w < POOL_BLOCK ? at->out_w : POOL_BLOCK;
    const int64_t rows = POOL_BLOCK / (columns ? columns : 1);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < columns; j++)
            first[r * columns + j] = (int32_t)(2 * (r * width + j));
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
        for (int64_t oy = 0; oy < at->out_h; oy += rows)
            for (int64_t ox = 0; ox < at->out_w; ox += columns) {
                const int64_t m = at->out_h - oy < rows ? at->out_h - oy : rows;
                const int64_t n = at->out_w - ox < columns ? at->out_w - ox : columns;
                const int64_t o = (i * at->out_h + oy) * at->out_w + ox;
                const int64_t p = 2 * (oy * width + ox);
                const real *pixels = x + i * at->height * width + p;
                for (int64_t r = 0; r < m; r++) {
                    memcpy(upper + 2 * r * n, pixels + 2 * r * width, 2 * n * sizeof(real));
                    memcpy(
                        lower + 2 * r * n, pixels + (2 * r + 1) * width, 2 * n * sizeof(real));
                }
                NAME(largest_of_four)(
                    y + o, index + o, upper, lower, first, (int32_t)p, (int32_t)width,
                    (int32_t)(m * n));
            }
}

static void NAME(max_pool_of_any)(
    real *restrict y, int32_t *restrict index, const real *restrict x, const tgl_windows *at,
    size_t begin, size_t end)
{
    const int64_t pixels = at->height * at->width;
    const int64_t windows = at->out_h * at->out_w;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        for (int64_t o = i * windows; o < (i + 1) * windows; o++) {
            y[o] = 0;
            index[o] = -1;
        }
        for (int64_t from = 0; from < at->out_h; from += ROWS) {
            const int64_t to = from + ROWS < at->out_h ? from + ROWS : at->out_h;
            for (int64_t ky = 0; ky < at->kernel_h; ky++)
                for (int64_t kx = 0; kx < at->kernel_w; kx++)
                    NAME(larger_in_rows)(
                        y + i * windows, index + i * windows, x + i * pixels, at,
                        ky, kx, from, to);
        }
    }
}

/* y[ox] and x[ix] of one row of pixels: the sum over each window's columns */
static inline void NAME(add_columns)(
    real *restrict y, const real *restrict x, const int64_t *columns, size_t out_w)
{
    for (size_t ox = 0; ox < out_w; ox++) {
        real total = 0;
        for (int64_t ix = columns[ox]; ix < columns[out_w + ox]; ix++)
            total += x[ix];
        y[ox] += total;
    }
}

static void NAME(max_pool)(
    real *y, int32_t *index, const real *x, const tgl_windows *at, size_t begin, size_t end)
{
    if (are_of_four(at))
        NAME(max_pool_of_four)(y, index, x, at, begin, end);
    else
        NAME(max_pool_of_any)(y, index, x, at, begin, end);
}

static int NAME(gather)(
    real *y, const real *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        for (size_t o = i * outputs; o < (i + 1) * outputs; o++) {
            if (index[o] < 0 || (size_t)index[o] >= pixels)
                return 0;
            y[o] = x[i * pixels + (size_t)index[o]];
        }
    return 1;
}

static int NAME(scatter)(
    real *x, const real *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        real *image = x + i * pixels;
        for (size_t p = 0; p < pixels; p++)
            image[p] = 0;
        for (size_t o = i * outputs; o < (i + 1) * outputs; o++) {
            if (index[o] < 0 || (size_t)index[o] >= pixels)
                return 0;
            image[index[o]] += y[o];
        }
    }
    return 1;
}

static void NAME(average_windows)(
    real *y, const real *x, const int64_t *rows, const int64_t *columns,
    const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        for (size_t oy = 0; oy < out_h; oy++) {
            real *row = y + (i * out_h + oy) * out_w;
            for (size_t ox = 0; ox < out_w; ox++)
                row[ox] = 0;
            for (int64_t iy = rows[oy]; iy < rows[out_h + oy]; iy++)
                NAME(add_columns)(row, x + (i * height + (size_t)iy) * width, columns, out_w);
            for (size_t ox = 0; ox < out_w; ox++)
                row[ox] /= divisor[oy * out_w + ox];
        }
}

static void NAME(spread_windows)(
    real *x, const real *y, const int64_t *rows, const int64_t *columns,
    const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        real *image = x + i * height * width;
        for (size_t p = 0; p < height * width; p++)
            image[p] = 0;
        for (size_t oy = 0; oy < out_h; oy++)
            for (size_t ox = 0; ox < out_w; ox++) {
                const size_t o = oy * out_w + ox;
                const real share = y[i * out_h * out_w + o] / divisor[o];
                for (int64_t iy = rows[oy]; iy < rows[out_h + oy]; iy++)
                    for (int64_t ix = columns[ox]; ix < columns[out_w + ox]; ix++)
                        image[(size_t)iy * width + (size_t)ix] += share;
            }
    }
}
