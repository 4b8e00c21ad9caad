/* windows.h: which windows of a tgl_windows reach into the image, for the loops over them. */
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

#endif
