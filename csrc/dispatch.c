/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * From CPU features to one table of kernels.  Nothing is cached: a caller keeps the pointer it was given.
 */
#include "cpu_features.h"
#include "kernels.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Best first; generic is last and runs everywhere. */
static const flsq_kernels *const built[] = {
#if defined(__x86_64__)
    &flsq_kernels_avx512,
    &flsq_kernels_avx2,
#elif defined(__aarch64__)
    &flsq_kernels_neon,
#endif
    &flsq_kernels_generic,
};
enum { N_BUILT = sizeof built / sizeof built[0] };

static int runs_on(const flsq_kernels *kernels, uint32_t features)
{
    return (kernels->required_features & ~features) == 0;
}

const char *flsq_kernels_built(int i, int *runs_here)
{
    if (i < 0 || i >= N_BUILT)
        return NULL;
    *runs_here = runs_on(built[i], flsq_cpu_features());
    return built[i]->name;
}

flsq_status flsq_kernels_select(const char *name, const flsq_kernels **kernels)
{
    const uint32_t features = flsq_cpu_features();
    if (name == NULL || name[0] == '\0')
        name = getenv("FASTLSQ_KERNEL");
    for (int i = 0; i < N_BUILT; i++) {
        if (name != NULL && name[0] != '\0') {
            if (strcmp(name, built[i]->name) != 0)
                continue;
            if (!runs_on(built[i], features))
                return FLSQ_UNSUPPORTED_KERNEL;
        } else if (!runs_on(built[i], features)) {
            continue;
        }
        *kernels = built[i];
        return FLSQ_OK;
    }
    return FLSQ_UNKNOWN_KERNEL;
}

const char *flsq_kernels_name(const flsq_kernels *kernels) { return kernels->name; }
