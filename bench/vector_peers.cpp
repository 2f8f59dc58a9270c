/*
 * vector_peers.cpp - indexes of others behind one plain interface, for bench/vector.
 *
 * Compiled only where their headers are (make bench-vector tries), once with -DPEER_HNSWLIB and once with
 * -DPEER_FAISS, into a shared object that bench/vector opens. Settings are those of their papers: 16
 * links (32 on the lowest level), 200 candidates while building.
 */
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

enum { LINKS = 16, CANDIDATES = 200 };

#ifdef PEER_HNSWLIB
#include <hnswlib/hnswlib.h>
static hnswlib::L2Space *space;
static hnswlib::HierarchicalNSW<float> *graph;

extern "C" const char *peer_name(void)
{
    return "hnswlib";
}
extern "C" void peer_load(const float *, size_t, size_t) {}
extern "C" void peer_build(const float *rows, size_t count, size_t dimensions, int threads)
{
    space = new hnswlib::L2Space(dimensions);
    graph = new hnswlib::HierarchicalNSW<float>(space, count, LINKS, CANDIDATES, 42);
    graph->addPoint(rows, 0);
    std::atomic<size_t> next{1};
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; t++)
        pool.emplace_back([&] {
            for (size_t i; (i = next.fetch_add(1)) < count;)
                graph->addPoint(rows + i * dimensions, i);
        });
    for (auto &thread : pool)
        thread.join();
}
extern "C" void peer_breadth(int ef)
{
    graph->setEf((size_t)ef);
}
extern "C" void peer_search(const float *query, int k, int64_t *ids)
{
    auto found = graph->searchKnn(query, (size_t)k);
    for (int i = (int)found.size(); i > 0; found.pop())
        ids[--i] = (int64_t)found.top().second;
}
extern "C" int peer_exact(const float *, int, int64_t *)
{
    return 0;
}
#endif

#ifdef PEER_FAISS
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <omp.h>
static faiss::IndexHNSWFlat *graph;
static faiss::IndexFlatL2 *flat;

extern "C" const char *peer_name(void)
{
    return "FAISS";
}
extern "C" void peer_load(const float *rows, size_t count, size_t dimensions)
{
    flat = new faiss::IndexFlatL2((faiss::Index::idx_t)dimensions);
    flat->add((faiss::Index::idx_t)count, rows);
}
extern "C" void peer_build(const float *rows, size_t count, size_t dimensions, int threads)
{
    omp_set_num_threads(threads);
    graph = new faiss::IndexHNSWFlat((int)dimensions, LINKS);
    graph->hnsw.efConstruction = CANDIDATES;
    graph->add((faiss::Index::idx_t)count, rows);
    omp_set_num_threads(1);
}
extern "C" void peer_breadth(int ef)
{
    graph->hnsw.efSearch = ef;
}
extern "C" void peer_search(const float *query, int k, int64_t *ids)
{
    std::vector<float> distances((size_t)k);
    omp_set_num_threads(1);
    graph->search(1, query, k, distances.data(), ids);
}
extern "C" int peer_exact(const float *query, int k, int64_t *ids)
{
    std::vector<float> distances((size_t)k);
    omp_set_num_threads(1);
    flat->search(1, query, k, distances.data(), ids);
    return 1;
}
#endif
