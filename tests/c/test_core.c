/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs every group of checks on every kernel set that this CPU can execute.  The Python tests reach only the sets that
 * dispatch would choose; here each table is called directly, and the 64-byte body also as body64 (kernels_body64.c).
 */
#include "blocksizes.h"
#include "check.h"
#include "cpu_features.h"
#include "oracle.h"
#include <string.h>

#if defined(__x86_64__) && !defined(__clang__)
#define HAVE_BODY64
extern const flsq_kernels flsq_kernels_body64;
#endif

static const flsq_kernels *const sets[] = {
    &flsq_kernels_generic,
#if defined(__x86_64__)
    &flsq_kernels_avx2,
    &flsq_kernels_avx512,
#elif defined(__aarch64__)
    &flsq_kernels_neon,
#endif
#ifdef HAVE_BODY64
    &flsq_kernels_body64,
#endif
};

static const struct { const char *name; group_fn *run; } groups[] = {
    {"pack: dtypes and layouts", test_pack_matrix},
    {"pack: shaped values", test_shape_matrix},
    {"pack: all half floats", test_pack_half},
    {"pack: one column", test_read_column},
    {"affine", test_affine},
    {"weigh", test_weigh},
    {"residual", test_residual_rows},
    {"residual in place", test_residual_in_place},
    {"gradient", test_gradient},
    {"dot_columns", test_dot_columns},
    {"dot and axpy", test_dot_axpy},
    {"probes", test_probes},
    {"gram_block", test_gram_block},
    {"gram_diagonal", test_gram_diagonal},
    {"gram in place", test_in_place},
    {"residual_block", test_residual_block},
    {"prefetch window", test_ahead},
    {"cholesky_small", test_cholesky_small},
    {"triangular_panel", test_triangular_panel},
    {"Gram pass: exact", test_gram_exact},
    {"Gram pass: shared node, exact", test_gram_large},
    {"Gram pass: same bits", test_gram_bits},
    {"Gram pass: rounding", test_gram_rounding},
    {"Gram pass: copy, rescale, stream", test_gram_state},
    {"Gram pass: errors", test_gram_errors},
    {"Gram pass: transformed, exact", test_gram_transform},
    {"residual pass: exact", test_residual_exact},
    {"residual pass: same bits", test_residual_bits},
    {"residual pass: rounding", test_residual_rounding},
    {"square lengths", test_square_lengths},
    {"score pass: exact", test_scores_exact},
    {"score pass: same bits", test_scores_bits},
    {"score pass: leverages", test_score_factors},
    {"score pass: sums by code", test_add_by_code},
    {"glm pass: exact", test_glm_exact},
    {"glm pass: same bits", test_glm_bits},
    {"glm pass: families", test_family_rows},
    {"exp and log", test_elementary},
    {"twofold residual", test_residual_twofold},
    {"twofold gradient", test_gradient_twofold},
    {"twofold weights", test_weigh_twofold},
    {"twofold pass", test_twofold_pass},
    {"refinement to the last bit", test_full},
    {"row spread", test_row_spread},
    {"Cholesky: exact", test_cholesky_exact},
    {"Cholesky: rounding, same bits", test_cholesky_rounding},
    {"Cholesky: indefinite", test_cholesky_indefinite},
    {"D M D by tiles", test_symmetric},
    {"triangular solves", test_triangular_solves},
    {"inverse", test_inverse},
    {"inverse norm estimate", test_inverse_norm},
    {"interleave", test_interleave},
    {"lane products and residuals", test_lane_products},
    {"lane factors", test_lane_factors},
    {"one call", test_one_call},
    {"one pass", test_one_pass},
    {"single precision: products", test_single_products},
    {"single precision: packing", test_narrow_rows},
    {"single precision: states, exact", test_single_state},
    {"single precision: same bits, rounding", test_single_bits},
    {"single precision: whole problems", test_single_problems},
    {"batch: as one by one", test_batch},
    {"groups: as one by one", test_groups},
    {"subsets: as one by one", test_subsets},
    {"subsets: refused", test_subsets_refused},
    {"windows: running sums", test_running_sums},
    {"windows: tree of blocks", test_sums_tree},
    {"windows: as one by one", test_windows},
    {"pivoted QR: product", test_pivoted_qr},
    {"pivoted QR: range", test_pivoted_range},
    {"pivoted QR: Jacobi", test_jacobi},
    {"pivoted QR: rank", test_rank},
    {"pivoted QR: singular values", test_triangle_values},
    {"pivoted QR: dependent columns", test_dependent},
    {"solve by QR: tall", test_qr_tall},
    {"solve by QR: long rows", test_qr_rows},
    {"solve by QR: dependent columns", test_qr_dependent},
    {"solve by QR: wide", test_qr_wide},
    {"solve by QR: rows that repeat", test_qr_repeated},
    {"solve by QR: rows that tell nothing", test_qr_empty_rows},
    {"solve by QR: edges", test_qr_edges},
    {"solve by QR: not finite", test_qr_nonfinite},
    {"truncated QR: from moments", test_truncated},
    {"truncated QR: exact", test_truncated_exact},
    {"triangular product", test_triangular_product},
    {"unrefined", test_unrefined},
    {"leave-one-out pass", test_leave_one_out},
    {"leave-one-out pass: same bits", test_leave_one_out_bits},
    {"penalized equations", test_penalized},
    {"elastic net: sweep", test_coordinate_sweep},
    {"elastic net: conditions", test_elastic_net},
    {"elastic net: equal columns", test_elastic_net_dependent},
    {"elastic net: many paths", test_elastic_net_paths},
    {"elastic net: gap", test_duality_gap},
    {"bounded: moments", test_active_set},
    {"bounded: rows", test_bounded_rows},
    {"bounded: dependent columns", test_bounded_dependent},
    {"bounded: rounds", test_bounded_rounds},
    {"bounded: small", test_nnls},
    {"bounded: small, not for it", test_nnls_refuses},
    {"optimizers", test_optimizers},
    {"optimizers: pages and threads", test_optimizer_pages},
    {"descent: orders", test_descent_order},
    {"descent: losses", test_descent_losses},
    {"descent: gradients are exact on integers", test_descent_gradient},
    {"descent: steps", test_descent_steps},
    {"descent: what is not finite", test_descent_refuses},
    {"descent: moments of columns", test_column_moments},
    {"find non-finite", test_find_nonfinite},
    {"find bad weight", test_find_bad_weight},
    {"column maxima", test_column_max_abs},
    {"sizes", test_sizes},
    {"dispatch", test_dispatch},
};

char check_case[256];
static int64_t passed, failed, printed;

enum { PRINTED_PER_GROUP = 5 };

int check_note(int holds, const char *condition, const char *file, int line)
{
    if (holds) {
        passed++;
        return 1;
    }
    failed++;
    if (printed++ < PRINTED_PER_GROUP)
        printf("%s:%d: %s is false: %s\n", file, line, condition, check_case);
    return 0;
}

static int64_t passed_before, failed_before;

static void open_group(void)
{
    oracle_seed(20260101); /* a group fails alike whether run alone or after others */
    CASE("-");
    printed = 0;
    passed_before = passed;
    failed_before = failed;
}

static void close_group(const char *set, const char *name)
{
    printf("%-8s %-34s %8lld passed %6lld failed\n", set, name, (long long)(passed - passed_before),
           (long long)(failed - failed_before));
    (void)fflush(stdout);
}

/* test_core [kernel set [part of a group's name]] */
int main(int argc, char **argv)
{
    const flsq_kernels *fused[COUNT_OF(sets)];
    int n_fused = 0;
    printf("KC up to %d, rows of a block %lld, Cholesky block %d, OpenMP %d\n", FLSQ_MAX_KC, (long long)flsq_gram_block_rows(1),
           FLSQ_CHOLESKY_NB, flsq_openmp_version());
    for (int s = 0; s < COUNT_OF(sets); s++) {
        if (argc > 1 && strcmp(argv[1], sets[s]->name) != 0)
            continue;
        if (sets[s]->required_features & ~flsq_cpu_features()) {
            printf("%-8s not run: this CPU lacks it\n", sets[s]->name);
            continue;
        }
        if (sets[s]->required_features & FLSQ_CPU_FMA)
            fused[n_fused++] = sets[s];
        for (int g = 0; g < COUNT_OF(groups); g++) {
            if (argc > 2 && strstr(groups[g].name, argv[2]) == NULL)
                continue;
            open_group();
            groups[g].run(sets[s]);
            close_group(sets[s]->name, groups[g].name);
        }
    }
    if (argc == 1 && n_fused > 1) {
        open_group();
        test_gram_across(fused, n_fused);
        close_group("fused", "Gram pass: same bits across sets");
    }
    printf("%lld passed, %lld failed\n", (long long)passed, (long long)failed);
    return failed != 0 || passed == 0;
}
