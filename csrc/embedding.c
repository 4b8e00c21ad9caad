/* embedding.c: rows of a table by number, and the way back, as kernels.h declares them.
 * The loops that compute stand once, in embedding_loops.h, compiled for float and double. */
#include "kernels.h"

#include <string.h>

/* The place of the first number that is not in 0 .. rows - 1; n if there is none. */
static size_t first_wrong(const int64_t *index, size_t n, size_t rows)
{
    for (size_t i = 0; i < n; i++)
        if (index[i] < 0 || (uint64_t)index[i] >= rows)
            return i;
    return n;
}

size_t tgl_take_rows(
    char *y, const char *a, const int64_t *index, size_t n, size_t rows, size_t bytes)
{
    const size_t wrong = first_wrong(index, n, rows);
    if (wrong < n)
        return wrong;
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * bytes, a + (size_t)index[i] * bytes, bytes);
    return n;
}

#define real float
#define NAME(name) name##_f32
#include "embedding_loops.h"
#undef real
#undef NAME

#define real double
#define NAME(name) name##_f64
#include "embedding_loops.h"
