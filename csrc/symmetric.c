/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * D M D by tiles: the moments of a Gram state go into the factorization without becoming a square matrix first.
 */
#include "symmetric.h"
#include "gram.h"
#include <string.h>

void flsq_symmetric_diagonal(const flsq_symmetric *a, double *diagonal)
{
    for (int64_t j = 0; j < a->n; j++)
        if (a->m != NULL)
            diagonal[j] = a->m[j * a->ldm + j];
        else
            flsq_tree_total(&a->gram->tree, place_of_entry(a->gram, j, j), 1, &diagonal[j], NULL);
}

void flsq_symmetric_part(const flsq_symmetric *a, int64_t nr, int64_t I, int64_t J, double sign, double *tile)
{
    const int64_t rows = FLSQ_MIN(nr, a->n - I * nr), columns = FLSQ_MIN(nr, a->n - J * nr);
    double along[FLSQ_MAX_NR];
    for (int64_t j = 0; j < columns; j++)
        along[j] = a->scale != NULL ? a->scale[J * nr + j] : 1.0;
    if (a->m == NULL && columns == nr)
        flsq_tree_total(&a->gram->tree, place_of_block(a->gram, I, J), rows * nr, tile, NULL);
    for (int64_t i = 0; i < rows; i++) {
        const double down = a->scale != NULL ? sign * a->scale[I * nr + i] : sign;
        double *const row = tile + i * nr;
        if (a->m != NULL)
            memcpy(row, a->m + (I * nr + i) * a->ldm + J * nr, (size_t)columns * sizeof(double));
        else if (columns < nr)
            flsq_tree_total(&a->gram->tree, place_of_block(a->gram, I, J) + i * nr, columns, row, NULL);
        for (int64_t j = 0; j < columns; j++)
            row[j] = row[j] * down * along[j];
    }
}

void flsq_symmetric_tile(const flsq_symmetric *a, int64_t nr, int64_t I, int64_t J, double sign, double *tile)
{
    const int64_t rows = FLSQ_MIN(nr, a->n - I * nr), columns = FLSQ_MIN(nr, a->n - J * nr);
    flsq_symmetric_part(a, nr, I, J, sign, tile);
    for (int64_t i = 0; i < rows && columns < nr; i++)
        memset(tile + i * nr + columns, 0, (size_t)(nr - columns) * sizeof(double));
    for (int64_t i = rows; i < nr; i++)
        memset(tile + i * nr, 0, (size_t)nr * sizeof(double));
    for (int64_t i = 0; I == J && i < nr; i++) {
        memset(tile + i * nr, 0, (size_t)i * sizeof(double));
        if (i >= rows)
            tile[i * nr + i] = sign;
    }
}
