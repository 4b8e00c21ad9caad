/* rows.c: rows of a table by number, in any type of number, as kernels.h declares it. */
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
