/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One step of a gradient optimizer: each array is read once and written once.  Included by kernel_template.h for each element
 * type; FLSQ_REAL, FLSQ_REAL_NAME, FLSQ_REAL_BITS (an integer as wide), FLSQ_REAL_ROOT and FLSQ_REAL_NORMAL (the least normal).
 *
 *      h = factor*clip(g, limit) + l2*p
 *      momentum    m = old*m + new*h                          p -= rate*m,  or rate*(h + old*m) (Nesterov)
 *      RMSprop     v = old_square*v + new_square*h²           p -= rate*h/(sqrt(v) + eps), also through a momentum
 *        centered  c += new_square*(h - c),  v - c² for v
 *      Adagrad     v += h²                                    p -= rate*h/(sqrt(v) + eps)
 *      Adam        m += new*(h - m),  v as RMSprop            p = keep*p - rate*m/(root_factor*sqrt(v) + eps)
 *        AMSGrad   the largest v so far for v
 *
 * Elements are independent and the last few take the same instructions, padded: no bit depends on how an array is cut.  A momentum
 * or mean square below the normal numbers becomes 0: without a gradient 0.9*m would stay there for ever, at a hundred times the cost.
 */
#define REAL FLSQ_REAL
#define REAL_(stem) REAL_NAME_(stem, FLSQ_REAL_NAME)
#define REAL_NAME_(stem, name) REAL_NAME__(stem, name)
#define REAL_NAME__(stem, name) stem##_##name
#define REAL_LANES ((int64_t)(8 * FLSQ_VL / sizeof(REAL)))
#define REALS REAL_(reals)
#define LOOSE_REALS REAL_(loose_reals)
#define REAL_INTS REAL_(real_ints)

typedef REAL REALS __attribute__((vector_size(8 * FLSQ_VL)));
typedef REAL LOOSE_REALS __attribute__((vector_size(8 * FLSQ_VL), aligned(1), may_alias));
typedef FLSQ_REAL_BITS REAL_INTS __attribute__((vector_size(8 * FLSQ_VL)));

/* Where the arrays of a step begin; those of states that are not kept are NULL. */
typedef struct REAL_(place) {
    REAL *p;
    const REAL *g;
    REAL *s0, *s1, *s2;
} REAL_(place);

typedef struct REAL_(factors) {
    REALS limit, factor, l2, keep, rate, old, new, old_square, new_square, root_factor, eps;
} REAL_(factors);

INLINE REALS REAL_(get)(const REAL *at) { return *(const LOOSE_REALS *)at; }
INLINE void REAL_(put)(REAL *at, REALS v) { *(LOOSE_REALS *)at = v; }
INLINE REALS REAL_(all)(double x) { return (REAL)x - (REALS){0}; }
INLINE REALS REAL_(choose)(REAL_INTS first, REALS a, REALS b)
{
    return (REALS)((first & (REAL_INTS)a) | (~first & (REAL_INTS)b));
}
INLINE REALS REAL_(size)(REALS v) { return (REALS)((REAL_INTS)v & ~(REAL_INTS)(-(REALS){0})); }
INLINE REALS REAL_(normal)(REALS v) { return REAL_(choose)(REAL_(size)(v) < REAL_(all)(FLSQ_REAL_NORMAL), (REALS){0}, v); }
INLINE REALS REAL_(root)(REALS v)
{
    REAL lane[REAL_LANES];
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < REAL_LANES; i++)
        lane[i] = FLSQ_REAL_ROOT(lane[i]);
    memcpy(&v, lane, sizeof lane);
    return v;
}
INLINE REALS REAL_(clip)(REALS g, REALS limit) /* NaN stays */
{
    g = REAL_(choose)(g > limit, limit, g);
    return REAL_(choose)(g < -limit, -limit, g);
}

/* The vector from element i on; kind and shaped are constants wherever this is inlined. */
INLINE void REAL_(step)(flsq_update_kind kind, int shaped, const REAL_(factors) *f, REAL_(place) at, int64_t i)
{
    const REALS p = REAL_(get)(at.p + i);
    REALS h = REAL_(get)(at.g + i), direction, m, v;
    if (shaped)
        h = f->factor * REAL_(clip)(h, f->limit) + f->l2 * p;
    switch (kind) {
    case FLSQ_UPDATE_PLAIN:
        direction = h;
        break;
    case FLSQ_UPDATE_MOMENTUM:
    case FLSQ_UPDATE_NESTEROV:
        m = REAL_(normal)(f->old * REAL_(get)(at.s0 + i) + f->new * h);
        REAL_(put)(at.s0 + i, m);
        direction = kind == FLSQ_UPDATE_NESTEROV ? h + f->root_factor * m : m;
        break;
    case FLSQ_UPDATE_ADAGRAD:
        v = REAL_(get)(at.s0 + i) + h * h;
        REAL_(put)(at.s0 + i, v);
        direction = h / (REAL_(root)(v) + f->eps);
        break;
    case FLSQ_UPDATE_ADAM:
    case FLSQ_UPDATE_AMSGRAD:
        m = REAL_(get)(at.s0 + i);
        m = REAL_(normal)(m + f->new * (h - m));
        v = REAL_(normal)(f->old_square * REAL_(get)(at.s1 + i) + f->new_square * (h * h));
        REAL_(put)(at.s0 + i, m);
        REAL_(put)(at.s1 + i, v);
        if (kind == FLSQ_UPDATE_AMSGRAD) {
            const REALS largest = REAL_(get)(at.s2 + i);
            v = REAL_(choose)(v < largest, largest, v);
            REAL_(put)(at.s2 + i, v);
        }
        direction = m / (f->root_factor * REAL_(root)(v) + f->eps);
        break;
    default:
        v = REAL_(normal)(f->old_square * REAL_(get)(at.s0 + i) + f->new_square * (h * h));
        REAL_(put)(at.s0 + i, v);
        if (kind == FLSQ_UPDATE_RMSPROP_CENTERED || kind == FLSQ_UPDATE_RMSPROP_BOTH) {
            m = REAL_(get)(at.s2 + i);
            m = REAL_(normal)(m + f->new_square * (h - m));
            REAL_(put)(at.s2 + i, m);
            v = v - m * m;
            v = REAL_(choose)(v < (REALS){0}, (REALS){0}, v); /* a variance; rounding may take it below 0 */
        }
        direction = h / (REAL_(root)(v) + f->eps);
        if (kind == FLSQ_UPDATE_RMSPROP_MOMENTUM || kind == FLSQ_UPDATE_RMSPROP_BOTH) {
            direction = REAL_(normal)(f->old * REAL_(get)(at.s1 + i) + direction);
            REAL_(put)(at.s1 + i, direction);
        }
    }
    REAL_(put)(at.p + i, f->keep * p - f->rate * direction);
}

INLINE void REAL_(steps)(flsq_update_kind kind, int shaped, const flsq_update *u, int64_t n, REAL_(place) at)
{
    const REAL_(factors) f = {
        .limit = REAL_(all)(u->limit), .factor = REAL_(all)(u->factor), .l2 = REAL_(all)(u->l2),
        .keep = REAL_(all)(u->keep), .rate = REAL_(all)(u->rate), .old = REAL_(all)(u->old), .new = REAL_(all)(u->new),
        .old_square = REAL_(all)(u->old_square), .new_square = REAL_(all)(u->new_square),
        .root_factor = REAL_(all)(u->root_factor), .eps = REAL_(all)(u->eps)};
    const int64_t whole = n - n % REAL_LANES, left = n - whole;
    for (int64_t i = 0; i < whole; i += REAL_LANES) {
        const int64_t next = i + FLSQ_UPDATE_AHEAD / (int64_t)sizeof(REAL);
        __builtin_prefetch(at.p + next, 1);
        __builtin_prefetch(at.g + next);
        if (at.s0 != NULL)
            __builtin_prefetch(at.s0 + next, 1);
        if (at.s1 != NULL)
            __builtin_prefetch(at.s1 + next, 1);
        REAL_(step)(kind, shaped, &f, at, i);
    }
    if (left == 0)
        return;
    REAL padded[5][REAL_LANES] = {{0}};
    REAL *const user[5] = {at.p, (REAL *)at.g, at.s0, at.s1, at.s2};
    for (int a = 0; a < 5; a++)
        if (user[a] != NULL)
            memcpy(padded[a], user[a] + whole, (size_t)left * sizeof(REAL));
    REAL_(step)(kind, shaped, &f, (REAL_(place)){padded[0], padded[1], padded[2], padded[3], padded[4]}, 0);
    for (int a = 0; a < 5; a++)
        if (user[a] != NULL && a != 1)
            memcpy(user[a] + whole, padded[a], (size_t)left * sizeof(REAL));
}

#define UPDATE_CASE(kind)                                                                                          \
    case kind:                                                                                                     \
        if (u->shaped)                                                                                             \
            REAL_(steps)(kind, 1, u, n, at);                                                                       \
        else                                                                                                       \
            REAL_(steps)(kind, 0, u, n, at);                                                                       \
        break;

static void REAL_(update)(const flsq_update *u, int64_t n, REAL *p, const REAL *g, REAL *s0, REAL *s1, REAL *s2)
{
    const REAL_(place) at = {p, g, s0, s1, s2};
    switch (u->kind) {
        UPDATE_CASE(FLSQ_UPDATE_PLAIN)
        UPDATE_CASE(FLSQ_UPDATE_MOMENTUM)
        UPDATE_CASE(FLSQ_UPDATE_NESTEROV)
        UPDATE_CASE(FLSQ_UPDATE_RMSPROP)
        UPDATE_CASE(FLSQ_UPDATE_RMSPROP_MOMENTUM)
        UPDATE_CASE(FLSQ_UPDATE_RMSPROP_CENTERED)
        UPDATE_CASE(FLSQ_UPDATE_RMSPROP_BOTH)
        UPDATE_CASE(FLSQ_UPDATE_ADAGRAD)
        UPDATE_CASE(FLSQ_UPDATE_ADAM)
        UPDATE_CASE(FLSQ_UPDATE_AMSGRAD)
    }
}

/* sum_k (scale*clip(g[k], limit))² in double, over vectors in their order, then over lanes. */
static double REAL_(clipped_squares)(int64_t n, const REAL *g, double limit, double scale)
{
    vec sum[2] = {{0}, {0}};
    int64_t i = 0;
    for (; i < n; i += 2 * FLSQ_VL) {
        REAL given[2 * FLSQ_VL] = {0};
        double lanes[2 * FLSQ_VL];
        if (n - i >= 2 * FLSQ_VL)
            memcpy(given, g + i, sizeof given);
        else
            memcpy(given, g + i, (size_t)(n - i) * sizeof(REAL));
        for (int k = 0; k < 2 * FLSQ_VL; k++)
            lanes[k] = given[k];
        UNROLL
        for (int half = 0; half < 2; half++) {
            vec x = load(lanes + half * FLSQ_VL);
            x = clip_f64(x, broadcast(limit)) * broadcast(scale);
            sum[half] += x * x;
        }
    }
    return lane_sum(sum[0] + sum[1]);
}

#undef UPDATE_CASE
#undef REAL
#undef REAL_
#undef REAL_NAME_
#undef REAL_NAME__
#undef REAL_LANES
#undef REALS
#undef LOOSE_REALS
#undef REAL_INTS
