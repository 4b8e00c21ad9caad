/* typed_loops.h: the loops of one type that work on [begin, end) of rows, images or channels.
 * dispatch.h includes this file for each type; the formulas are in kernels.h. */
struct NAME(loops) {
    void (*cross_entropy)(
        real *losses, real *peak, real *total, const real *a, const int64_t *target,
        int64_t ignored, size_t begin, size_t end, size_t c);
    void (*last_column)(real *losses, real *peak, real *total, size_t n);
    void (*cross_entropy_slope)(
        real *d, const real *a, const int64_t *target, const real *peak, const real *total,
        const real *g, size_t step, size_t begin, size_t end, size_t c);
    void (*add_rows)(real *y, const real *a, const int64_t *index, size_t n, size_t width);
    void (*im2col)(
        real *cols, const real *x, const tgl_windows *at, size_t begin, size_t end);
    void (*col2im)(
        real *x, const real *cols, const tgl_windows *at, size_t begin, size_t end);
    void (*max_pool)(
        real *y, int32_t *index, const real *x, const tgl_windows *at,
        size_t begin, size_t end);
    int (*gather)(
        real *y, const real *x, const int32_t *index, size_t pixels, size_t outputs,
        size_t begin, size_t end);
    int (*scatter)(
        real *x, const real *y, const int32_t *index, size_t pixels, size_t outputs,
        size_t begin, size_t end);
    void (*average_windows)(
        real *y, const real *x, const int64_t *rows, const int64_t *columns,
        const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
        size_t begin, size_t end);
    void (*spread_windows)(
        real *x, const real *y, const int64_t *rows, const int64_t *columns,
        const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
        size_t begin, size_t end);
    void (*batch_norm)(
        real *y, real *mean, real *var, real *running_mean, real *running_var,
        const real *x, const real *w, const real *b,
        size_t n, size_t c, size_t s, double eps, double share, size_t begin, size_t end);
    void (*normalize)(
        real *y, const real *x, const real *w, const real *b, const real *mean,
        const real *var, size_t n, size_t c, size_t s, double eps, size_t begin, size_t end);
    void (*batch_norm_slopes)(
        real *dx, real *dw, real *db, const real *g, const real *x, const real *w,
        const real *mean, const real *var, size_t n, size_t c, size_t s, double eps,
        int training, size_t begin, size_t end);
    void (*sum)(
        real *y, const real *a, size_t outer, size_t channels, size_t inner, double scale);
    void (*map[TGL_MAPS])(
        real *y, const real *a, const real *b, size_t a_step, size_t b_step, size_t n);
};
