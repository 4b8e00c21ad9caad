/* calls.c: the exported functions that are there for float and for double; they stand once, in
 * calls.h. */
#include "dispatch.h"
#include "threads.h"

/* Numbers that a thread takes at a time, about: a few microseconds of work. */
enum { NUMBERS_OF_PART = 16384 };

/* How many rows, images or channels of so many numbers that is. */
static size_t part_of(size_t numbers)
{
    return numbers < NUMBERS_OF_PART ? NUMBERS_OF_PART / (numbers ? numbers : 1) : 1;
}

/* The place of the first id that is neither a class nor ignored; n if there is none. */
static size_t first_wrong_target(const int64_t *target, int64_t ignored, size_t n, size_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c == 0 || ((uint64_t)target[i] >= c && target[i] != ignored))
            return i;
    return n;
}

#define real float
#define loops_of_type() (&loops_in_use()->f32)
#define NAME(name) name##_f32
#include "calls.h"
#undef real
#undef loops_of_type
#undef NAME

#define real double
#define loops_of_type() (&loops_in_use()->f64)
#define NAME(name) name##_f64
#include "calls.h"
