/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Counting checks.  CASE says in words what is being tried; CHECK counts, and on failure prints where, what and which
 * case.  Every group is a function of one kernel set.
 */
#ifndef CHECK_H
#define CHECK_H
#include <stdint.h>
#include <stdio.h>
#include "kernels.h"

extern char check_case[256];
/* Returns the condition, so that a caller can stop before it uses what failed. */
int check_note(int holds, const char *condition, const char *file, int line);

#define CASE(...) ((void)snprintf(check_case, sizeof check_case, __VA_ARGS__))
#define CHECK(condition) check_note((condition) != 0, #condition, __FILE__, __LINE__)
#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

typedef void group_fn(const flsq_kernels *kernels);

group_fn test_pack_matrix, test_shape_matrix, test_pack_half, test_read_column;
group_fn test_affine, test_weigh, test_residual_rows, test_residual_in_place, test_gradient;
group_fn test_dot_columns, test_dot_axpy, test_probes;
group_fn test_gram_block, test_gram_diagonal, test_in_place, test_residual_block, test_ahead;
group_fn test_cholesky_small, test_triangular_panel;
group_fn test_gram_exact, test_gram_large, test_gram_bits, test_gram_rounding, test_gram_state, test_gram_errors;
group_fn test_residual_exact, test_residual_bits, test_residual_rounding;
group_fn test_glm_exact, test_glm_bits, test_family_rows, test_elementary;
group_fn test_scores_exact, test_scores_bits, test_score_factors, test_square_lengths, test_add_by_code;
group_fn test_cholesky_exact, test_cholesky_rounding, test_cholesky_indefinite, test_symmetric, test_triangular_solves;
group_fn test_single_products, test_narrow_rows, test_single_state, test_single_bits, test_single_problems;
group_fn test_gram_transform, test_residual_twofold, test_gradient_twofold, test_weigh_twofold, test_twofold_pass;
group_fn test_row_spread;
group_fn test_inverse, test_inverse_norm;
group_fn test_interleave, test_lane_products, test_lane_factors, test_one_call, test_one_pass, test_batch, test_groups;
group_fn test_subsets, test_subsets_refused;
group_fn test_running_sums, test_sums_tree, test_windows;
group_fn test_pivoted_qr, test_pivoted_range, test_jacobi, test_rank, test_triangle_values, test_dependent;
group_fn test_qr_tall, test_qr_rows, test_qr_dependent;
group_fn test_qr_wide, test_qr_repeated, test_qr_empty_rows, test_qr_edges, test_qr_nonfinite;
group_fn test_truncated, test_truncated_exact, test_triangular_product, test_unrefined;
group_fn test_leave_one_out, test_leave_one_out_bits, test_penalized, test_full;

group_fn test_coordinate_sweep, test_elastic_net, test_elastic_net_dependent, test_elastic_net_paths, test_duality_gap;

group_fn test_active_set, test_bounded_rows, test_bounded_dependent, test_bounded_rounds, test_nnls, test_nnls_refuses;
group_fn test_optimizers, test_optimizer_pages;
group_fn test_descent_order, test_descent_losses, test_descent_gradient, test_descent_steps, test_descent_refuses;
group_fn test_column_moments;
group_fn test_find_nonfinite, test_find_bad_weight, test_column_max_abs, test_sizes, test_dispatch;
/* The bits of the moments are those of every other kernel set with fused multiply-adds. */
void test_gram_across(const flsq_kernels *const *sets, int count);

#endif
