// SPDX-License-Identifier: BSL-1.0
// Times kernels on a GPU, prints a table, and writes a file of results.
#include "harness.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>

namespace {

using namespace cuda_bench;

[[nodiscard]] int attribute(cudaDeviceAttr which) {
  int value = 0;
  require_success(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
  return value;
}

void write_json(const std::string& path, const std::vector<timing>& all) {
  std::ofstream out(path);
  cudaDeviceProp card{};
  require_success(cudaGetDeviceProperties(&card, 0), "cudaGetDeviceProperties");
  int runtime = 0, driver = 0;
  require_success(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  require_success(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  out << "{\"card\": \"" << card.name << "\", \"compute_capability\": \"" << card.major << '.' << card.minor
      << "\", \"runtime\": " << runtime << ", \"driver\": " << driver << ", \"results\": [";
  const char* separator = "\n";
  for (const timing& row : all) {
    out << separator << "  {\"name\": \"" << row.name << "\", \"items\": " << row.items
        << ", \"bytes\": " << row.bytes << ", \"copies\": " << row.copies
        << ", \"queued_us\": " << row.queued_us;
    if (row.replayed_us >= 0.0) out << ", \"replayed_us\": " << row.replayed_us;
    out << '}';
    separator = ",\n";
  }
  out << "\n]}\n";
  if (!out.flush()) throw std::runtime_error(path + ": cannot be written");
}

int run(int argc, char** argv) {
  settings how;
  std::string json;
  bool no_graphs = false, list = false;
  CLI::App app("Times the kernels of rankloss on the GPU that is there.");
  app.add_option("--filter", how.filter, "run those whose name matches this regular expression");
  app.add_option("--most-items", how.most_items, "leave out those of more items");
  app.add_option("--repetitions", how.repetitions, "of which the median is taken")
      ->check(CLI::Range(1, 1000));
  app.add_option("--json", json, "write the results to this file as well");
  app.add_flag("--no-graphs", no_graphs, "do not replay calls from a graph");
  app.add_flag("--list", list, "print the names and do nothing else");
  CLI11_PARSE(app, argc, argv);
  how.graphs = !no_graphs;

  std::vector<benchmark> all;
  add_yardsticks(all);
  add_lists(all);
  add_embeddings(all);
  add_ranks(all);
  add_policies(all);
  const std::regex wanted(how.filter);
  std::erase_if(all, [&](const benchmark& b) {
    return !std::regex_search(b.name, wanted) || (how.most_items > 0 && b.items > how.most_items);
  });
  if (all.empty()) throw std::invalid_argument("--filter: no benchmark matches '" + how.filter + "'");
  if (list) {
    for (const benchmark& b : all) std::printf("%s\n", b.name.c_str());
    return 0;
  }

  const auto cache = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize));
  cudaStream_t stream = nullptr;
  require_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  std::printf("%-48s %12s %12s %10s %8s\n", "benchmark", "queued, us", "replayed, us", "ns/item", "GB/s");
  std::vector<timing> results;
  for (const benchmark& b : all) {
    results.push_back(measure(b, how, stream, cache));
    const timing& row = results.back();
    const double us = row.replayed_us >= 0.0 ? row.replayed_us : row.queued_us;
    std::printf("%-48s %12.2f %12.2f %10.3f %8.1f\n", row.name.c_str(), row.queued_us, row.replayed_us,
                us * 1e3 / static_cast<double>(row.items), static_cast<double>(row.bytes) / (us * 1e3));
    std::fflush(stdout);
  }
  require_success(cudaStreamDestroy(stream), "cudaStreamDestroy");
  if (!json.empty()) write_json(json, results);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "rankloss_cuda_bench: %s\n", e.what());
    return 1;
  }
}
