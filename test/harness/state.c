/* Words of shared memory and lines of /proc, read one after the other while the others may go on. No stdio: this runs
 * in workers. */

#include "harness/state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/lane.h"
#include "shared/queue.h"
#include "shared/record.h"

#define RECORDS_MOST 16 /* of each level */

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
    char line[400];
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (bytes >= (int)sizeof line)
        bytes = sizeof line - 1;
    if (bytes > 0 && write(STDERR_FILENO, line, (size_t)bytes) < 0)
        return;
}

/* The first line; "" where it cannot be read. */
static const char *read_line(pid_t pid, const char *name, char *text, size_t text_bytes)
{
    char path[64];
    ssize_t bytes;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    bytes = fd < 0 ? 0 : read(fd, text, text_bytes - 1);
    if (fd >= 0)
        close(fd);
    text[bytes < 0 ? 0 : bytes] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void tell_process(const char *role, pid_t pid)
{
    char stat[400], where[100], call[200];
    const char *state = strrchr(read_line(pid, "stat", stat, sizeof stat), ')');

    tell("%s %d: state %.1s, in %s, system call %s\n", role, (int)pid, state != NULL ? state + 2 : "?",
         read_line(pid, "wchan", where, sizeof where), read_line(pid, "syscall", call, sizeof call));
}

static void tell_worker(const struct pe__shared *shared, uint32_t number)
{
    const struct pe__slot *slot = &shared->slots[number];
    const struct pe__bell_group *group = pe__bell_group_of(shared->groups, number);
    uint64_t bit = pe__bell_bit(number);
    char role[40];

    tell("worker %u: life %u, hint %u, ended %ju, order %u, bell %u%s%s%s%s\n", number, slot->life, slot->hint,
         (uintmax_t)slot->ended, slot->order, slot->bell, group->present & bit ? ", present" : "",
         group->sleepers & bit ? ", asleep" : "", group->vacant & bit ? ", vacant" : "",
         group->spinning & bit ? ", spinning" : "");
    snprintf(role, sizeof role, "worker %u is", number);
    tell_process(role, slot->pid);
}

static void tell_lane(const struct pe__shared *shared, uint32_t map, uint32_t number)
{
    const struct pe__lane *lane = &pe__mapping_lanes(shared, map)[number];
    uint64_t range = lane->range, hand = lane->hand;

    tell("map %u, lane %u: [%ju, %ju) named by %u, hand [%ju, %ju), running %ju, intent %u\n", map, number,
         (uintmax_t)pe__range_first(range), (uintmax_t)pe__range_last(range), pe__range_thief(range),
         (uintmax_t)(hand >> 32), (uintmax_t)(hand & UINT32_MAX), (uintmax_t)lane->running, lane->intent_victim);
}

static void tell_record(const struct pe__shared *shared, uint32_t level, uint64_t position)
{
    uint32_t index = pe__queue_record(level, position, shared->geometry.records);
    const struct pe__record *record = &shared->records[index];
    uint64_t word = record->word;

    tell("record %u: sequence %ju, owner %u, phase %u, code %d%s\n", index, (uintmax_t)pe__record_sequence(word),
         pe__record_owner(word), pe__record_phase(word), record->code, pe__record_is_ticket(record) ? ", ticket" : "");
    if (pe__record_is_ticket(record) && record->map < PE__MAPS_MAX && record->lane < shared->geometry.workers_most)
        tell_lane(shared, record->map, record->lane);
}

static void tell_level(const struct pe__shared *shared, uint32_t level)
{
    uint64_t tail = shared->tails[level].tail, head = shared->heads[level].head;

    if (tail > 0)
        tell("level %u: head %ju, tail %ju\n", level, (uintmax_t)head, (uintmax_t)tail);
    for (uint64_t at = tail > RECORDS_MOST ? tail - RECORDS_MOST : 0; at < tail; at++)
        tell_record(shared, level, at);
}

void state_tell(const struct pe__shared *shared)
{
    const struct pe__config *config = shared->config;

    tell_process("host", config->host_pid);
    tell("host waits: %#jx\n", (uintmax_t)*shared->host_waits);
    tell_process("keeper", getppid());
    for (uint32_t number = 0; number < config->workers; number++)
        tell_worker(shared, number);
    for (uint32_t level = 0; level < PE__QUEUE_LEVELS; level++)
        tell_level(shared, level);
}
