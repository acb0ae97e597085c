/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads.  Kernels are serial; drivers hand a body to flsq_parallel_run, which calls it once per thread.
 */
#ifndef FLSQ_PARALLEL_H
#define FLSQ_PARALLEL_H
#include "internal.h"

/* body(context, thread, n_threads) runs on every thread of a team of at most n_threads; fewer may come.  In a child
 * of fork() the team is always one: the parent's OpenMP pool does not exist there, and libgomp would wait for it. */
void flsq_parallel_run(int n_threads, void (*body)(void *context, int thread, int n_threads), void *context);

/* Waits for the whole team of n_threads; only inside a body, and by all of its threads. */
void flsq_parallel_barrier(int n_threads);

/* The next unclaimed number of a shared counter that starts at 0. */
int64_t flsq_parallel_claim(int64_t *counter);

double flsq_parallel_clock(void);

#endif
