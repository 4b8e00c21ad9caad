/* convolution.c: the columns of a convolution, as kernels.h declares them, for float and for
 * double. The loops stand once, in convolution_loops.h; here they are compiled for each type. */
#include "kernels.h"
#include "wide.h"
#include "windows.h"

#define real float
#define NAME(name) name##_f32
#include "convolution_loops.h"
#undef real
#undef NAME

#define real double
#define NAME(name) name##_f64
#include "convolution_loops.h"
