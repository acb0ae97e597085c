/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Rows of sums, and a tree of them over blocks: a window that is longer than two blocks is put together from few nodes, by
 * additions alone, so that what has left it has left no trace.
 */
#include "sums.h"
#include <string.h>

/* With e = c - to:  s' = s + w e,  m' = m + e sᵀ + s eᵀ + w e eᵀ = m + e sᵀ + s' eᵀ; `add` times that is added to target. */
static void add_moved(int64_t q, const double *to, double add, const double *sums, double *target)
{
    const double w = sums[0], *const s = sums + 1, *const c = sums + flsq_sums_point(q);
    const double *m = s + q;
    double *out = target + 1 + q;
    for (int64_t i = 0; i < q; i++) {
        const double e = c[i] - to[i], moved = s[i] + w * e;
        for (int64_t j = i; j < q; j++)
            *out++ += add * (*m++ + (e * s[j] + moved * (c[j] - to[j])));
    }
    for (int64_t i = 0; i < q; i++)
        target[1 + i] += add * (s[i] + w * (c[i] - to[i]));
    target[0] += add * w;
}

void flsq_sums_move(int64_t q, const double *to, double *sums)
{
    const double w = sums[0];
    double *const s = sums + 1, *const c = sums + flsq_sums_point(q), *m = s + q;
    for (int64_t i = 0; i < q; i++) {
        const double e = c[i] - to[i], moved = s[i] + w * e;
        for (int64_t j = i; j < q; j++)
            *m++ += e * s[j] + moved * (c[j] - to[j]);
    }
    for (int64_t i = 0; i < q; i++) {
        s[i] += w * (c[i] - to[i]);
        c[i] = to[i];
    }
}

void flsq_sums_add(int64_t q, int centred, double factor, const double *piece, double *total, double *work)
{
    const double share = factor * piece[0], w = total[0] + share;
    const int64_t sums = flsq_sums_point(q);
    const double *const c = piece + sums;
    double *const point = total + sums;
    if (!(share > 0))
        return;
    if (!centred || !(total[0] > 0)) {
        for (int64_t e = 0; e < sums; e++)
            total[e] += factor * piece[e];
        memcpy(point, c, (size_t)q * sizeof(double));
        return;
    }
    for (int64_t j = 0; j < q; j++)
        work[j] = point[j] + (total[1 + j] + share * ((c[j] - point[j]) + piece[1 + j] / piece[0])) / w;
    flsq_sums_move(q, work, total);
    add_moved(q, work, factor, piece, total);
}

/* ---- the tree --------------------------------------------------------------------------------------------------- */

static double *node(const flsq_sums_tree *tree, int64_t level, int64_t place)
{
    int64_t before = 0;
    for (int64_t l = 0; l < level; l++)
        before += tree->blocks >> l;
    return tree->nodes + (before + place) * flsq_sums_entries(tree->q);
}

int64_t flsq_sums_tree_nodes(int64_t blocks)
{
    int64_t count = 0;
    for (; blocks > 0; blocks >>= 1)
        count += blocks;
    return count;
}

double *flsq_sums_tree_leaf(const flsq_sums_tree *tree, int64_t block) { return node(tree, 0, block); }

void flsq_sums_tree_build(const flsq_sums_tree *tree, double *work)
{
    const size_t bytes = (size_t)flsq_sums_entries(tree->q) * sizeof(double);
    for (int64_t level = 1; tree->blocks >> level > 0; level++)
        for (int64_t place = 0; place < tree->blocks >> level; place++) {
            double *const total = node(tree, level, place);
            memcpy(total, node(tree, level - 1, 2 * place), bytes);
            flsq_sums_add(tree->q, tree->centred, 1.0, node(tree, level - 1, 2 * place + 1), total, work);
        }
}

void flsq_sums_tree_total(const flsq_sums_tree *tree, int64_t first, int64_t last, double *total, double *work)
{
    memset(total, 0, (size_t)flsq_sums_entries(tree->q) * sizeof(double));
    while (first < last) {
        int64_t level = 0; /* the largest node that begins here and does not reach too far */
        while ((first >> level) % 2 == 0 && first + ((int64_t)2 << level) <= last)
            level++;
        flsq_sums_add(tree->q, tree->centred, 1.0, node(tree, level, first >> level), total, work);
        first += (int64_t)1 << level;
    }
}
