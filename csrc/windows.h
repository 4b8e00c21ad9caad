/* windows.h: what the loops over windows ask of a tgl_windows. */
#ifndef TINYGRAD_LITE_WINDOWS_H
#define TINYGRAD_LITE_WINDOWS_H

#include "kernels.h"

/* From `first` up to `last`, not included, o * stride + at lies in 0 .. size - 1; both are
 * in 0 .. count. */
static inline void inside(
    int64_t *first, int64_t *last, int64_t at, int64_t stride, int64_t size, int64_t count)
{
    const int64_t below = at < 0 ? (-at + stride - 1) / stride : 0;
    const int64_t end = at < size ? (size - at + stride - 1) / stride : 0;
    *first = below < count ? below : count;
    *last = end < count ? end : count;
    if (*last < *first)
        *last = *first;
}

/* Rows of windows that stay in the cache from one place of a window to the next. */
enum { ROWS = 16 };

/* whether windows are 2 x 2, lie side by side, and inside of the image */
static inline int are_of_four(const tgl_windows *at)
{
    return at->kernel_h == 2 && at->kernel_w == 2 && at->stride_h == 2 && at->stride_w == 2
        && at->dilation_h == 1 && at->dilation_w == 1 && at->top == 0 && at->left == 0
        && 2 * at->out_h <= at->height && 2 * at->out_w <= at->width;
}

#endif
