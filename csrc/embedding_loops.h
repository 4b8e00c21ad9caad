/* embedding_loops.h: rows of numbers, added up by number.
 *
 * embedding.c includes this file once for each type (hence no include guard) and defines
 * `real` and `NAME` for it. `restrict` holds because Python allocates y afresh. Rows that go
 * to the same place are added in the order of i, so the sum is always the same.
 */

size_t NAME(tgl_add_rows)(
    real *y, const real *a, const int64_t *index, size_t n, size_t rows, size_t width)
{
    const size_t wrong = first_wrong(index, n, rows);
    if (wrong < n)
        return wrong;
    for (size_t i = 0; i < n; i++) {
        real *restrict to = y + (size_t)index[i] * width;
        const real *restrict from = a + i * width;
        for (size_t j = 0; j < width; j++)
            to[j] += from[j];
    }
    return n;
}
