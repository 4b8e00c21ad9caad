/* pooling.c: the pooling kernels that kernels.h declares, for float and for double.
 * The loops stand once, in pooling_loops.h; here they are compiled for each type. */
#include "kernels.h"
#include "wide.h"
#include "windows.h"

#define ROWS 16    /* of windows, which stay in the cache from one place to the next */

#define real float
#define NAME(name) name##_f32
#include "pooling_loops.h"
#undef real
#undef NAME

#define real double
#define NAME(name) name##_f64
#include "pooling_loops.h"
