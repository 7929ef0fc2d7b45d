// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/smooth_ap.cuh>
#include <rankloss/cuda/smooth_metric.cuh>
#include <rankloss/cuda/smooth_mrr.cuh>
#include <rankloss/cuda/smooth_precision_at_k.cuh>
#include <rankloss/cuda/smooth_recall_at_k.cuh>

#include "cuda/support/on_device.cuh"

namespace metrics = rankloss::metrics;
using rankloss::laplace_ranks;
using rankloss::smooth_metric;

COMPILE_ON_DEVICE(rankloss::smooth_ap, float, int);
COMPILE_ON_DEVICE(rankloss::smooth_mrr, float, int);
COMPILE_ON_DEVICE(smooth_metric<metrics::ndcg>, float, int);
// What a metric does with ranks is in double whatever they are; those of laplace_ranks are quickly compiled.
template <class Metric>
using by_laplace = smooth_metric<Metric, laplace_ranks>;
COMPILE_ON_DEVICE(by_laplace<metrics::average_precision>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::reciprocal_rank>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::precision>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::recall>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::dcg>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::rank_biased_precision>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::average_relevance_position>, double, double);
COMPILE_ON_DEVICE(by_laplace<metrics::expected_reciprocal_rank>, double, double);
using projected_ndcg = smooth_metric<metrics::ndcg, rankloss::projected_ranks>;
COMPILE_ON_DEVICE(projected_ndcg, double, double);
using projected_ap = smooth_metric<metrics::average_precision, rankloss::projected_ranks>;
COMPILE_ON_DEVICE(projected_ap, double, double);
