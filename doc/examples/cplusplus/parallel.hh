/*
 * parallel.hh: what a C++ program may want around libparexec: pools that free themselves, errors as exceptions, lambdas
 * over vectors, and vectors in shared memory. To be copied and changed; C++17.
 *
 * A lambda is called in a worker, which is another process, on a copy of its bytes. So it and what goes in and out are
 * trivially copyable, and what it captures are values, or pointers to what was there when the pool was made. No
 * exception crosses the library, which is written in C: one that leaves the lambda becomes the message of its item, and
 * one of the library's errors becomes an exception on this side.
 */
#ifndef PARALLEL_HH
#define PARALLEL_HH

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <parexec.h>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace parallel {

/* An error of the library. */
struct error : std::runtime_error {
    explicit error(int code) : std::runtime_error(pe_strerror(code)), code(code) {}
    int code;
};

inline void check(int result)
{
    if (result < 0)
        throw error(result);
}

struct deleter {
    void operator()(pe_pool *pool) const noexcept { pe_pool_free(pool); }

    /* A map that is left by an exception must not go on writing to vectors that are gone. */
    void operator()(pe_job *job) const noexcept
    {
        (void)pe_job_cancel(job);
        while (pe_job_wait(job, PE_FOREVER) == PE_EINTR)
            ;
        pe_job_free(job);
    }
};

using pool = std::unique_ptr<pe_pool, deleter>;
using job = std::unique_ptr<pe_job, deleter>;

inline pool make_pool(const pe_pool_options &options = PE_POOL_OPTIONS_INIT)
{
    pe_pool *made = nullptr;
    check(pe_pool_new(&options, &made));
    return pool(made);
}

/* Memory that all processes of a pool see: containers of it must not outlive the pool. */
template <class T> struct shared {
    using value_type = T;

    explicit shared(const pool &owner) : pool_(owner.get()) {}
    template <class U> shared(const shared<U> &other) : pool_(other.pool_) {}

    T *allocate(std::size_t count)
    {
        void *memory = nullptr;
        if (count > SIZE_MAX / sizeof(T) || pe_pool_alloc(pool_, count * sizeof(T), &memory) < 0)
            throw std::bad_alloc();
        return static_cast<T *>(memory);
    }
    void deallocate(T *memory, std::size_t) noexcept { pe_pool_dealloc(pool_, memory); }

    friend bool operator==(const shared &a, const shared &b) { return a.pool_ == b.pool_; }
    friend bool operator!=(const shared &a, const shared &b) { return a.pool_ != b.pool_; }

    pe_pool *pool_;
};

template <class T> using shared_vector = std::vector<T, shared<T>>;

/* What became of one item. */
template <class T> struct result {
    T value{};
    pe_status status{};
    std::string message; /* of the exception that the function threw */

    explicit operator bool() const { return status.kind == PE_RETURNED && status.code == 0; }
};

/* In a worker: calls the function whose bytes are the context. */
template <class In, class Out, class Function> int call(const void *in, void *out, const void *context) noexcept
{
    try {
        ::new (out) Out((*static_cast<const Function *>(context))(*static_cast<const In *>(in)));
        return 0;
    } catch (const std::exception &thrown) {
        return pe_worker_fail(1, "%s", thrown.what());
    } catch (...) {
        return pe_worker_fail(2, "an unknown exception");
    }
}

/* Calls the function for each element of a vector, in shared memory or not. Crashes cost their item, not the map. */
template <class In, class Allocator, class Function>
auto map(const pool &pool, const std::vector<In, Allocator> &in, const Function &function)
{
    using Out = std::invoke_result_t<const Function &, const In &>;
    static_assert(std::is_trivially_copyable_v<In> && std::is_trivially_copyable_v<Out>, "items travel as bytes");
    static_assert(std::is_trivially_copyable_v<Function>, "the lambda travels as bytes: capture values and pointers");

    shared_vector<Out> out(in.size(), shared<Out>(pool));
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    options.context = &function;
    options.context_bytes = sizeof function;
    pe_job *started = nullptr;
    check(pe_pool_start_map(pool.get(), call<In, Out, Function>, in.data(), sizeof(In), out.data(), sizeof(Out),
                            in.size(), &options, &started));
    job ended(started);
    check(pe_job_wait(started, PE_FOREVER));

    std::vector<result<Out>> results(in.size());
    for (std::size_t i = 0; i < in.size(); i++) {
        const char *text = nullptr;
        check(pe_job_item_status(started, i, &results[i].status));
        if (results[i])
            results[i].value = out[i];
        else if (pe_job_item_text(started, i, PE_TEXT_MESSAGE, &text, nullptr) == 0)
            results[i].message = text;
    }
    return results;
}

} // namespace parallel

#endif
