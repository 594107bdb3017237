/*
 * count.cc: counts lines, words and bytes of files as wc does, a file an item.
 *
 *     count FILE...
 *
 * It shows how a C++ program uses the library (parallel.hh): a lambda that captures the names, exceptions in it,
 * vectors in shared memory. Built by pkg-config as
 *
 *     c++ -std=c++17 count.cc -o count $(pkg-config --cflags --libs parexec)
 *
 * or by CMake, see ../cmake.
 */
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <system_error>

#include "parallel.hh"

struct counts {
    std::uint64_t lines, words, bytes;
};

static counts count_file(const char *name)
{
    std::ifstream file(name, std::ios::binary);
    if (!file)
        throw std::system_error(errno, std::generic_category(), name);
    counts found{};
    bool is_in_word = false;
    for (auto at = std::istreambuf_iterator<char>(file); at != std::istreambuf_iterator<char>(); ++at) {
        bool is_space = std::isspace(static_cast<unsigned char>(*at)) != 0;
        found.lines += *at == '\n';
        found.words += !is_space && !is_in_word;
        found.bytes++;
        is_in_word = !is_space;
    }
    return found;
}

static void print(const counts &found, const char *name)
{
    std::cout << found.lines << ' ' << found.words << ' ' << found.bytes << ' ' << name << '\n';
}

/* How many files could not be counted. */
static int count_files(int files, char **names)
{
    auto pool = parallel::make_pool();
    parallel::shared_vector<int> numbers(static_cast<std::size_t>(files), parallel::shared<int>(pool));
    std::iota(numbers.begin(), numbers.end(), 0);
    auto results = parallel::map(pool, numbers, [names](int i) { return count_file(names[i]); });

    counts total{};
    int failures = 0;
    for (int i = 0; i < files; i++) {
        const auto &result = results[static_cast<std::size_t>(i)];
        if (result) {
            print(result.value, names[i]);
            total = { total.lines + result.value.lines, total.words + result.value.words,
                      total.bytes + result.value.bytes };
        } else {
            std::cerr << (result.message.empty() ? std::string(names[i]) + ": lost" : result.message) << '\n';
            failures++;
        }
    }
    print(total, "total");
    return failures;
}

int main(int argc, char **argv)
{
    try {
        return count_files(argc - 1, argv + 1) == 0 ? 0 : 1;
    } catch (const std::exception &thrown) {
        std::cerr << "count: " << thrown.what() << '\n';
        return 2;
    }
}
