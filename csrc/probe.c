/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What this machine can do, for rooflines: multiply-adds, bytes read, bytes read and written per second, on the same kernels
 * and threads as the passes.
 */
#include "kernels.h"
#include "parallel.h"

typedef struct probe {
    const flsq_kernels *kernels;
    const double *data;
    double *const *arrays;
    int64_t count, pages, claimed;
    double flops, sum;
} probe;

static void fma_body(void *context, int thread, int n_threads)
{
    probe *const p = context;
    double sink = 0.5;
    const double flops = p->kernels->probe_fma(p->count, &sink);
    (void)n_threads;
    if (thread == 0) {
        p->flops = flops;
        p->sum = sink;
    }
}

double flsq_probe_fma(const flsq_kernels *kernels, int n_threads, int64_t sweeps, double *flops_per_sweep)
{
    probe p = {.kernels = kernels, .count = sweeps};
    const double start = flsq_parallel_clock();
    flsq_parallel_run(n_threads, fma_body, &p);
    const double seconds = flsq_parallel_clock() - start;
    *flops_per_sweep = p.flops * n_threads;
    return seconds;
}

enum {
    PAGE = 64 * 1024,       /* doubles that one thread reads in one go */
    UPDATE_PAGE = 16 * 1024 /* of each array */
};

static void read_body(void *context, int thread, int n_threads)
{
    probe *const p = context;
    double sum = 0;
    (void)n_threads;
    for (int64_t i = flsq_parallel_claim(&p->claimed); i < p->pages; i = flsq_parallel_claim(&p->claimed)) {
        const int64_t begin = i * PAGE;
        sum += p->kernels->probe_read(FLSQ_MIN(PAGE, p->count - begin), p->data + begin);
    }
    if (thread == 0)
        p->sum = sum;
}

double flsq_probe_read(const flsq_kernels *kernels, int n_threads, const double *data, int64_t count, double *sum)
{
    probe p = {.kernels = kernels, .data = data, .count = count, .pages = FLSQ_CEIL_DIV(count, PAGE)};
    const double start = flsq_parallel_clock();
    flsq_parallel_run(n_threads, read_body, &p);
    const double seconds = flsq_parallel_clock() - start;
    *sum = p.sum;
    return seconds;
}

static void update_body(void *context, int thread, int n_threads)
{
    probe *const p = context;
    (void)thread, (void)n_threads;
    for (int64_t i = flsq_parallel_claim(&p->claimed); i < p->pages; i = flsq_parallel_claim(&p->claimed)) {
        const int64_t begin = i * UPDATE_PAGE;
        p->kernels->probe_update(FLSQ_MIN(UPDATE_PAGE, p->count - begin), p->arrays[0] + begin, p->arrays[1] + begin,
                                 p->arrays[2] + begin, p->arrays[3] + begin);
    }
}

double flsq_probe_update(const flsq_kernels *kernels, int n_threads, int64_t count, double *const arrays[4])
{
    probe p = {.kernels = kernels, .arrays = arrays, .count = count, .pages = FLSQ_CEIL_DIV(count, UPDATE_PAGE)};
    const double start = flsq_parallel_clock();
    flsq_parallel_run(n_threads, update_body, &p);
    return flsq_parallel_clock() - start;
}
