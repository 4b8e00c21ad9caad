/* convolution_loops.h: the columns of a convolution, and their adjoint.
 *
 * loops.h includes this file for each type. A loop copies or adds one row of windows at a
 * time, in the order of the NumPy body: C and NumPy agree to the last bit. `restrict` holds
 * because Python allocates the output afresh.
 */

/* row[ox] = line[ox * stride] for n windows; a stride of 1 is the case to be fast in */
static inline void NAME(read_row)(
    real *restrict row, const real *restrict line, int64_t n, int64_t stride)
{
    if (stride == 1) {
        for (int64_t ox = 0; ox < n; ox++)
            row[ox] = line[ox];
        return;
    }
    for (int64_t ox = 0; ox < n; ox++)
        row[ox] = line[ox * stride];
}

/* line[ox * stride] += row[ox] for n windows */
static inline void NAME(add_row)(
    real *restrict line, const real *restrict row, int64_t n, int64_t stride)
{
    if (stride == 1) {
        for (int64_t ox = 0; ox < n; ox++)
            line[ox] += row[ox];
        return;
    }
    for (int64_t ox = 0; ox < n; ox++)
        line[ox * stride] += row[ox];
}

/* cols is (out_h, out_w), what the place (ky, kx) of each window reads of an image x */
static inline void NAME(read_place)(
    real *restrict cols, const real *restrict x, const tgl_windows *at, int64_t ky, int64_t kx)
{
    const int64_t left = kx * at->dilation_w - at->left;
    int64_t first;
    int64_t last;
    inside(&first, &last, left, at->stride_w, at->width, at->out_w);
    for (int64_t oy = 0; oy < at->out_h; oy++) {
        real *row = cols + oy * at->out_w;
        const int64_t iy = oy * at->stride_h - at->top + ky * at->dilation_h;
        const int seen = iy >= 0 && iy < at->height && first < last;
        const int64_t from = seen ? first : at->out_w;
        const int64_t to = seen ? last : at->out_w;
        for (int64_t ox = 0; ox < from; ox++)
            row[ox] = 0;
        if (seen)
            NAME(read_row)(
                row + from, x + iy * at->width + from * at->stride_w + left, to - from,
                at->stride_w);
        for (int64_t ox = to; ox < at->out_w; ox++)
            row[ox] = 0;
    }
}

/* the adjoint of read_place: x += what its pixels gave to cols */
static inline void NAME(add_place)(
    real *restrict x, const real *restrict cols, const tgl_windows *at, int64_t ky, int64_t kx)
{
    const int64_t left = kx * at->dilation_w - at->left;
    int64_t first;
    int64_t last;
    inside(&first, &last, left, at->stride_w, at->width, at->out_w);
    for (int64_t oy = 0; oy < at->out_h; oy++) {
        const int64_t iy = oy * at->stride_h - at->top + ky * at->dilation_h;
        if (iy >= 0 && iy < at->height && first < last)
            NAME(add_row)(
                x + iy * at->width + first * at->stride_w + left,
                cols + oy * at->out_w + first, last - first, at->stride_w);
    }
}

static void NAME(im2col)(
    real *restrict cols, const real *restrict x, const tgl_windows *at,
    size_t begin, size_t end)
{
    const size_t pixels = (size_t)(at->height * at->width);
    const size_t windows = (size_t)(at->out_h * at->out_w);
    const size_t places = (size_t)(at->kernel_h * at->kernel_w);
    for (size_t i = begin; i < end; i++) {
        real *place = cols + i * places * windows;
        for (int64_t ky = 0; ky < at->kernel_h; ky++)
            for (int64_t kx = 0; kx < at->kernel_w; kx++, place += windows)
                NAME(read_place)(place, x + i * pixels, at, ky, kx);
    }
}

static void NAME(col2im)(
    real *restrict x, const real *restrict cols, const tgl_windows *at,
    size_t begin, size_t end)
{
    const size_t pixels = (size_t)(at->height * at->width);
    const size_t windows = (size_t)(at->out_h * at->out_w);
    const size_t places = (size_t)(at->kernel_h * at->kernel_w);
    for (size_t i = begin; i < end; i++) {
        const real *place = cols + i * places * windows;
        for (size_t p = 0; p < pixels; p++)
            x[i * pixels + p] = 0;
        for (int64_t ky = 0; ky < at->kernel_h; ky++)
            for (int64_t kx = 0; kx < at->kernel_w; kx++, place += windows)
                NAME(add_place)(x + i * pixels, place, at, ky, kx);
    }
}
