# SPDX-License-Identifier: BSL-1.0

# The ratios the project holds itself to, from the JSON output of Google Benchmark: medians where there are repetitions. Ends with 1 when a
# benchmark reported an error, such as a yardstick that computes something else.
#
#     awk -v preset=release -f scripts/ratios.awk results.json...
#     awk -v names=1 -f scripts/ratios.awk          prints the benchmarks that they are made of, one a line

function text(line) {
  sub(/^[^:]*: *"/, "", line)
  sub(/",?[ \r]*$/, "", line)
  return line
}

function duration(ns) {
  if (ns < 1e3) return sprintf("%.3g ns", ns)
  if (ns < 1e6) return sprintf("%.3g us", ns / 1e3)
  if (ns < 1e9) return sprintf("%.3g ms", ns / 1e6)
  return sprintf("%.3g s", ns / 1e9)
}

# time of `above` / time of `below`, wanted at most or at least `wanted`, or only shown where this preset is not held to it
function ratio(above, below, bound, wanted, held,    r, met) {
  if (names) {
    if (!listed[above]++) print above
    if (!listed[below]++) print below
    return
  }
  if (!(above in time) || !(below in time) || above in errors || below in errors) return
  r = time[above] / time[below]
  met = bound == "<=" ? r <= wanted + 0 : r >= wanted + 0
  if (!rows++) printf "%-44s %9s    %-38s %9s %8s  %-8s\n", "", "time", "", "time", "ratio", "target"
  printf "%-44s %9s  / %-38s %9s %8.3f  %s %-5s %s\n", above, duration(time[above]), below, duration(time[below]), r, bound, wanted,
         met ? "met" : held ? "MISSED" : "not met, nor asked of this preset"
}

/^ *"run_name": / {
  name = text($0)
  aggregate = ""
}
/^ *"aggregate_name": / { aggregate = text($0) }
/^ *"error_message": / { errors[name] = text($0) }
# Everything runs on one thread: its processor time leaves out what else the machine does meanwhile.
/^ *"cpu_time": / { cpu = $2 + 0 }
/^ *"time_unit": / {
  unit = text($0)
  cpu *= unit == "s" ? 1e9 : unit == "ms" ? 1e6 : unit == "us" ? 1e3 : 1
  if (aggregate == "median" || (aggregate == "" && !(name in time))) time[name] = cpu
}

END {
  native = preset == "" || preset == "release"
  wide = native || preset == "v3"
  count = split("1024 65536 100000 262144 1000000", lengths, " ")
  for (i = 1; i <= count; ++i) ratio("sndcg/float/" lengths[i] "/gradient", "std_sort/float/" lengths[i], "<=", i == 1 ? "1.0" : "0.25", wide)
  for (i = 1; i <= count; ++i) ratio("sndcg/double/" lengths[i] "/gradient", "std_sort/double/" lengths[i], "<=", i == 1 ? "1.5" : "0.5", native)
  ratio("sndcg/float/1000000/gradient", "sndcg/float/100000/gradient", "<=", "14", wide)
  ratio("sndcg/double/1000000/gradient", "sndcg/double/100000/gradient", "<=", "14", native)
  ratio("bidirectional_sndcg_plain/float/128/gradient", "bidirectional_sndcg/float/128/gradient", ">=", "10", wide)
  split("info_nce triplet siglip", similar, " ")
  for (i = 1; i <= 3; ++i) ratio(similar[i] "_embeddings/float/4096x256/gradient", "gemm4/float/4096x256", "<=", "1.25", wide)
  ratio("bidirectional_sndcg_embeddings/float/4096x256/gradient", "gemm4/float/4096x256", "<=", "2", wide)
  ratio("info_nce_embeddings/float/4096x256/gradient", "info_nce_embeddings_2_threads/float/4096x256/gradient", ">=", "1.8", wide)
  ratio("neural_sort_plain/float/4096/gradient", "neural_sort/float/4096/gradient", ">=", "20", native)
  ratio("neural_ndcg_plain/float/16x128/gradient", "neural_ndcg/float/16x128/gradient", ">=", "10", native)
  ratio("laplace_ranks/float/1000000/gradient", "argsort/float/1000000", "<=", "2", native)
  ratio("soft_sort/float/1000000/gradient", "argsort/float/1000000", "<=", "2", native)
  ratio("laplace_ranks/double/1000000/gradient", "argsort/double/1000000", "<=", "2", native)
  ratio("soft_sort/double/1000000/gradient", "argsort/double/1000000", "<=", "2", native)
  ratio("projected_ranks/float/100000/gradient", "argsort/float/100000", "<=", "3", native)
  ratio("projected_ranks/float/64x128/gradient", "argsort/float/64x128", "<=", "3", native)
  ratio("bitonic_matrix_plain/float/128", "bitonic_matrix/float/128", ">=", "50", native)
  ratio("bitonic_matrix_plain/double/128", "bitonic_matrix/double/128", ">=", "50", native)
  for (i = 1; i <= 2; ++i) {
    loss = i == 1 ? "ranknet" : "lambdarank"
    ratio(loss "/float/100000/gradient", "argsort/float/100000", "<=", "8", native)
    type = i == 1 ? "float" : "double"
    ratio(loss "_plain/" type "/100000/gradient", loss "/" type "/100000/gradient", ">=", "500", native)
    ratio(loss "_plain/float/64x128/gradient", loss "/float/64x128/gradient", ">=", "3", native)
    ratio(loss "/float/1000000/gradient", loss "/float/100000/gradient", "<=", "14", native)
  }
  ratio("ranknet_real/float/100000/gradient", "argsort/float/100000", "<=", "40", native)
  ratio("lambdarank_real/float/100000/gradient", "argsort/float/100000", "<=", "40", native)
  ratio("listnet_plain/float/1024/gradient", "listnet/float/1024/gradient", ">=", "1", native)
  ratio("listmle_plain/float/1024/gradient", "listmle/float/1024/gradient", ">=", "1", native)
  ratio("plackett_luce_policy/float/1000000/gradient", "argsort/float/1000000", "<=", "2", native)
  if (names) exit 0
  if (!rows) print "None of the benchmarks that they are made of were run."
  for (name in errors) {
    print "ERROR " name ": " errors[name]
    failed = 1
  }
  exit failed
}
