/* rows_loops.h: rows of numbers, added up by number; see optimizer_loops.h.
 *
 * Rows that go to the same place are added in the order of i, so the sum is always the same.
 */
static void NAME(add_rows)(
    real *y, const real *a, const int64_t *index, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) {
        real *restrict to = y + (size_t)index[i] * width;
        const real *restrict from = a + i * width;
        for (size_t j = 0; j < width; j++)
            to[j] += from[j];
    }
}
