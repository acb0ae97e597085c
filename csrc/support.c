/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Newton's method on the support of an elastic net.  With the signs of b fixed the objective is quadratic, so one step is
 * its minimum:
 *
 *      (M_AA + diag l2_A) step = q_A - l2_A b_A - l1_A sign(b_A)
 *
 * Where coordinate descent crawls, because columns resemble each other, this settles what is left in one step; where they
 * do not, sweeps are cheaper.
 */
#include "coordinate.h"
#include <math.h>
#include <string.h>

/* Where columns of the support depend on each other: the step is then long where the fit does not change, and ends where the
 * first of them leaves. */
static const double DAMPING = 0x1p-30;
/* What rounding leaves of the pivot of a column that depends on others, for each of these. */
static const double NO_PIVOT = 32 * FLSQ_UNIT_ROUNDOFF;

void flsq_refresh(const flsq_kernels *kernels, flsq_working_set *w)
{
    memcpy(w->q, w->c, (size_t)w->n * sizeof(double));
    for (int64_t j = 0; j < w->n; j++)
        if (w->b[j] != 0)
            kernels->axpy(w->n, -w->b[j], w->m + j * w->ld, w->q);
}

/* The objective less yy/2: penalties - (b·c + b·q)/2 */
static double objective(const flsq_working_set *w)
{
    double sum = 0;
    for (int64_t j = 0; j < w->n; j++)
        sum += w->b[j] * (0.5 * (w->l2[j] * w->b[j] - w->c[j] - w->q[j]) + copysign(w->l1[j], w->b[j]));
    return sum;
}

/* A column without an l1 penalty has no sign to keep, unless none may be negative. */
static int keeps_sign(const flsq_working_set *w, int64_t j, int nonnegative) { return nonnegative || w->l1[j] > 0; }

static int64_t find_support(flsq_working_set *w, int nonnegative)
{
    int64_t count = 0;
    for (int64_t j = 0; j < w->n; j++)
        if (w->b[j] != 0 || !keeps_sign(w, j, nonnegative))
            w->support[count++] = j;
    return count;
}

/* The share of the step after which the sign of entry i of the support would be lost, or infinity. */
static double share_with_sign(const flsq_working_set *w, int64_t i, int nonnegative)
{
    const double old = w->b[w->support[i]], step = w->step[i];
    const int kept = !keeps_sign(w, w->support[i], nonnegative) || (old + step) * old > 0;
    return kept ? INFINITY : -old / step;
}

/* b := saved b and a share of the step, coefficients that would lose their sign on the way being zero; its objective. */
static double step_to(const flsq_kernels *kernels, flsq_working_set *w, int64_t count, int nonnegative, double share)
{
    memcpy(w->b, w->saved, (size_t)w->n * sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        double *const b = w->b + w->support[i];
        *b = share_with_sign(w, i, nonnegative) <= share ? 0 : *b + share * w->step[i];
    }
    flsq_refresh(kernels, w);
    return objective(w);
}

/* RᵀR = M_AA + diag l2_A, its diagonal raised by a share of itself. */
static flsq_status factorize(const flsq_kernels *kernels, flsq_working_set *w, int64_t count, double damping)
{
    int64_t pivot;
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = w->support[i];
        for (int64_t l = i; l < count; l++)
            w->r[i * count + l] = w->m[j * w->ld + w->support[l]];
        w->r[i * (count + 1)] += w->l2[j] + damping * w->r[i * (count + 1)];
    }
    return flsq_cholesky(kernels, count, w->r, count, 1, &pivot);
}

/* A column that any other may take the place of. */
static int is_free(const flsq_working_set *w, int64_t j, int nonnegative)
{
    return !keeps_sign(w, j, nonnegative) && w->l2[j] <= NO_PIVOT * w->diagonal[j];
}

static int is_dependent(const flsq_working_set *w, int64_t count, int64_t i, double pivot)
{
    return pivot <= NO_PIVOT * (double)count * w->diagonal[w->support[i]];
}

static int has_dependent(const flsq_working_set *w, int64_t count, int nonnegative)
{
    for (int64_t i = 0; i < count; i++) {
        const double root = w->r[i * (count + 1)];
        if (is_free(w, w->support[i], nonnegative) && is_dependent(w, count, i, root * root))
            return 1;
    }
    return 0;
}

/* The same without free columns that depend on others before them: their steps come out as 0, for any step of theirs would
 * be made of rounding, and so would what the others do about it. */
static flsq_status factorize_independent(const flsq_kernels *kernels, flsq_working_set *w, int64_t count, int nonnegative)
{
    for (int64_t i = 0; i < count; i++) {
        double *const row = w->r + i * count;
        const int64_t j = w->support[i];
        for (int64_t l = i; l < count; l++)
            row[l] = w->m[j * w->ld + w->support[l]];
        row[i] += w->l2[j];
        for (int64_t k = 0; k < i; k++)
            kernels->axpy(count - i, -w->r[k * count + i], w->r + k * count + i, row + i);
        if (is_free(w, j, nonnegative) && is_dependent(w, count, i, row[i])) {
            for (int64_t k = 0; k < i; k++)
                w->r[k * count + i] = 0;
            memset(row + i, 0, (size_t)(count - i) * sizeof(double));
            row[i] = INFINITY;
            continue;
        }
        if (!(row[i] > 0))
            return FLSQ_NOT_POSITIVE_DEFINITE;
        const double root = sqrt(row[i]);
        for (int64_t l = i; l < count; l++)
            row[l] /= root;
    }
    return FLSQ_OK;
}

flsq_status flsq_newton_on_support(const flsq_kernels *kernels, flsq_working_set *w, double yy, int nonnegative,
                                   flsq_move *moved)
{
    const int64_t count = find_support(w, nonnegative);
    *moved = FLSQ_UNMOVED;
    flsq_status status = factorize(kernels, w, count, 0);
    if (status == FLSQ_NOT_POSITIVE_DEFINITE || (status == FLSQ_OK && has_dependent(w, count, nonnegative)))
        status = factorize_independent(kernels, w, count, nonnegative);
    if (status == FLSQ_NOT_POSITIVE_DEFINITE)
        status = factorize(kernels, w, count, DAMPING);
    if (status != FLSQ_OK)
        return status == FLSQ_NOT_POSITIVE_DEFINITE ? FLSQ_OK : status;
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = w->support[i];
        w->step[i] = w->q[j] - w->l2[j] * w->b[j] - (w->b[j] == 0 ? 0 : copysign(w->l1[j], w->b[j]));
    }
    flsq_triangular_solve_transposed(kernels, count, w->r, count, 1, w->step);
    flsq_triangular_solve(kernels, count, w->r, count, 1, w->step);
    const double before = objective(w), most = before + 8 * FLSQ_UNIT_ROUNDOFF * yy;
    double share = 1;
    for (int64_t i = 0; i < count; i++)
        share = FLSQ_MIN(share, share_with_sign(w, i, nonnegative));
    memcpy(w->saved, w->b, (size_t)w->n * sizeof(double));
    /* near the minimum what is won drowns in the rounding of the objective */
    if (step_to(kernels, w, count, nonnegative, 1) <= (share < 1 ? before : most))
        *moved = share < 1 ? FLSQ_SIGN_LOST : FLSQ_AT_MINIMUM;
    else if (share < 1 && step_to(kernels, w, count, nonnegative, share) <= most)
        *moved = FLSQ_SIGN_LOST;
    else {
        memcpy(w->b, w->saved, (size_t)w->n * sizeof(double));
        flsq_refresh(kernels, w);
    }
    return FLSQ_OK;
}
