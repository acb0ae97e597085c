/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The only file that knows OpenMP.  It compiles without it to a serial build.
 */
#include "parallel.h"
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>

static int forked_child = 0; /* written once, in the child, before any other thread exists there */
static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void mark_child(void) { __atomic_store_n(&forked_child, 1, __ATOMIC_RELAXED); }
static void register_handler(void) { pthread_atfork(NULL, NULL, mark_child); }
static void watch_forks(void) { pthread_once(&registered, register_handler); }
int flsq_is_forked_child(void) { return __atomic_load_n(&forked_child, __ATOMIC_RELAXED); }
#else
static void watch_forks(void) {}
int flsq_is_forked_child(void) { return 0; }
#endif

#ifdef _OPENMP

int flsq_openmp_version(void) { return _OPENMP; }
int flsq_openmp_max_threads(void) { return omp_get_max_threads(); }

void flsq_parallel_run(int n_threads, void (*body)(void *, int, int), void *context)
{
    if (n_threads <= 1 || flsq_is_forked_child()) {
        body(context, 0, 1);
        return;
    }
    watch_forks();
#pragma omp parallel num_threads(n_threads)
    body(context, omp_get_thread_num(), omp_get_num_threads());
}

void flsq_parallel_barrier(int n_threads)
{
    if (n_threads > 1) { /* a team of one may sit inside somebody else's region */
#pragma omp barrier
    }
}

#else

int flsq_openmp_version(void) { return 0; }
int flsq_openmp_max_threads(void) { return 1; }

void flsq_parallel_run(int n_threads, void (*body)(void *, int, int), void *context)
{
    (void)n_threads;
    body(context, 0, 1);
}

void flsq_parallel_barrier(int n_threads) { (void)n_threads; }

#endif

int64_t flsq_parallel_claim(int64_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

double flsq_parallel_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
