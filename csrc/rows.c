/* rows.c: rows of a table by number, and the way back, as kernels.h declares them. */
#include "dispatch.h"

#include <string.h>

size_t first_wrong_id(const int64_t *id, size_t n, size_t ids)
{
    for (size_t i = 0; i < n; i++)
        if (id[i] < 0 || (uint64_t)id[i] >= ids)
            return i;
    return n;
}

size_t tgl_take_rows(
    char *y, const char *a, const int64_t *index, size_t n, size_t rows, size_t bytes)
{
    const size_t good = first_wrong_id(index, n, rows);
    if (good < n)
        return good;
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * bytes, a + (size_t)index[i] * bytes, bytes);
    return n;
}

size_t tgl_add_rows_f32(
    float *y, const float *a, const int64_t *index, size_t n, size_t rows, size_t width)
{
    const size_t good = first_wrong_id(index, n, rows);
    if (good == n)
        loops_in_use()->add_rows_f32(y, a, index, n, width);
    return good;
}

size_t tgl_add_rows_f64(
    double *y, const double *a, const int64_t *index, size_t n, size_t rows, size_t width)
{
    const size_t good = first_wrong_id(index, n, rows);
    if (good == n)
        loops_in_use()->add_rows_f64(y, a, index, n, width);
    return good;
}
