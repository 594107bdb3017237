/**
 * @file async.h
 * All about tasks that wait.
 *
 *     task.h          tasks: writing, starting, awaiting, cancelling them
 *     loop.h          what they run on: a loop of its own, one that the program runs already, or one driven by another
 *     limit.h         time limits
 *     group.h         waiting for several tasks; groups of tasks
 *     sync.h          queues, semaphores, locks, events and conditions between tasks
 *     fd.h            descriptors that are ready
 *     file.h          files and directories
 *     process.h       other programs, and the ends of processes
 *     resolve.h       names and addresses
 *     signal.h        signals
 *     socket.h        TCP, UNIX sockets, pipes
 *     udp.h           datagrams
 *     task_region.h   regions (region.h) of tasks, which span waits
 *     await.h         waiting for what runs in a pool
 *     debug.h         what holds a loop up, figures, the tasks and who waits for whom
 *     offload.h       functions that block, on threads and in processes
 *
 * Built without libuv all of these functions are there and return PE_ENOSYS, NULL or ""; pe_offload_cancelled alone is
 * what it is elsewhere.
 */
#ifndef PAREXEC_ASYNC_H
#define PAREXEC_ASYNC_H

#include <parexec/await.h>
#include <parexec/debug.h>
#include <parexec/fd.h>
#include <parexec/file.h>
#include <parexec/group.h>
#include <parexec/limit.h>
#include <parexec/loop.h>
#include <parexec/process.h>
#include <parexec/offload.h>
#include <parexec/resolve.h>
#include <parexec/signal.h>
#include <parexec/socket.h>
#include <parexec/sync.h>
#include <parexec/task.h>
#include <parexec/task_region.h>
#include <parexec/udp.h>

#endif
