/* wide.h: wide vectors, chosen at run time.
 *
 * With GCC and glibc on x86-64 a function marked WIDE is compiled twice, and the loader takes
 * the one that this processor can run. Other compilers and C libraries compile it once. Either
 * way each element gets the same bits: only more elements at a time. */
#ifndef TINYGRAD_LITE_WIDE_H
#define TINYGRAD_LITE_WIDE_H

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#endif
