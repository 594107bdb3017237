/* A pool and its process ids. The table is mapped before the fork and so stands at the same address in
 * workers; a replacement enters itself in its predecessor's place. */

#include "pool/crew.h"
#include "machine.h"

#include <stdio.h>
#include <unistd.h>

static int enter_table(void *context)
{
    struct crew_table *table = context;
    int index = pe_worker_index();
    if (index < 0 || index >= CREW_MAX)
        return 1;
    atomic_store(&table->keeper, getppid());
    atomic_store(&table->workers[index], getpid());
    if (table->ready_fd >= 0 && write(table->ready_fd, "r", 1) != 1)
        return 1;
    return 0;
}

int crew_failed(const struct plan *plan, const char *call, int error)
{
    snprintf(plan->note, NOTE_BYTES, "%s: %s", call, pe_err_name(error));
    return -1;
}

int crew_open(struct crew *crew, const struct plan *plan, pe_pool_options *options)
{
    int ready_fd = options->keep_fd_count > 0 ? options->keep_fds[0] : -1;
    crew->table = machine_shared(sizeof(*crew->table));
    crew->table->ready_fd = ready_fd;
    options->worker_init = enter_table;
    options->worker_context = crew->table;
    int r = pe_pool_new(options, &crew->pool);
    if (r >= 0)
        return 0;
    machine_unshare(crew->table, sizeof(*crew->table));
    return crew_failed(plan, "pe_pool_new", r);
}

void crew_close(struct crew *crew)
{
    pe_pool_free(crew->pool);
    machine_unshare(crew->table, sizeof(*crew->table));
}

void crew_await(const struct crew *crew, uint32_t workers)
{
    for (uint32_t i = 0; i < workers; i++)
        while (atomic_load(&crew->table->workers[i]) == 0)
            machine_sleep_ns(100000);
}

static int64_t sum(const struct crew *crew, uint32_t workers, int64_t (*of)(pid_t pid))
{
    int64_t total = of(atomic_load(&crew->table->keeper));
    for (uint32_t i = 0; i < workers; i++)
        total += of(atomic_load(&crew->table->workers[i]));
    return total;
}

int64_t crew_cpu_ns(const struct crew *crew, uint32_t workers)
{
    return sum(crew, workers, machine_cpu_ns);
}

int64_t crew_switches(const struct crew *crew, uint32_t workers)
{
    return sum(crew, workers, machine_switches);
}
