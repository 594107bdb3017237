/*
 * resolve.c - names and addresses.
 *
 * A lookup cannot be hastened once a thread is at it, and it uses nothing of the task's: what it is asked for is
 * copied, what it finds is its own. So a wait that is to be stopped leaves its request alone and ends; the request
 * counts as an open handle of the loop until it comes back, since its memory is the loop's.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <parexec/resolve.h>

#include "async/loop.h"
#include "async/wait.h"

/* What libuv has while it looks; both begin with `data`, which is this. */
struct request {
    union {
        uv_req_t any;
        uv_getaddrinfo_t addresses;
        uv_getnameinfo_t name;
    } uv;
    struct pe__task *task; /* NULL: nobody waits any more */
    pe_loop *loop;
    struct addrinfo **ret_addresses;
    char *ret_node, *ret_service;
    size_t node_bytes, service_bytes;
};

static void cancel(struct pe__task *task)
{
    struct request *request = task->object;

    request->task = NULL;
    uv_cancel(&request->uv.any);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind kind = { .name = "a name", .cancel = cancel };

static int error_of(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_SERVICE:
    case UV_EAI_ADDRFAMILY:
        return PE_ENOENT;
    case UV_EAI_AGAIN:
        return PE_EAGAIN;
    case UV_EAI_MEMORY:
        return PE_ENOMEM;
    case UV_EAI_FAIL:
        return -EIO;
    case UV_EAI_OVERFLOW:
        return -ENOSPC;
    case UV_EAI_BADFLAGS:
    case UV_EAI_BADHINTS:
    case UV_EAI_FAMILY:
    case UV_EAI_SOCKTYPE:
    case UV_EAI_PROTOCOL:
        return PE_EINVAL;
    default:
        return status;
    }
}

/* ---- requests ---- */

static void free_request(struct request *request)
{
    pe__slab_free(&request->loop->slab, request, sizeof *request);
}

/* NULL: there is no wait, and this is what the call returns. */
static struct request *begin(pe_task *t, bool is_valid, int *ret_result)
{
    int result = pe__wait_check(t);
    struct request *request = NULL;

    if (result == 0 && !is_valid)
        result = PE_EINVAL;
    if (result == 0) {
        request = pe__slab_new(&pe__task_of(t)->loop->slab, sizeof *request);
        result = request == NULL ? PE_ENOMEM : pe__wait_begin(t, &kind, request);
    }
    *ret_result = result;
    if (request == NULL)
        return NULL;
    request->task = pe__task_of(t);
    request->loop = request->task->loop;
    if (result == PE_WAIT)
        return request;
    free_request(request);
    return NULL;
}

/* With what libuv returned; what the call returns. */
static int begun(struct request *request, int started)
{
    struct pe__task *task = request->task;

    if (started >= 0) {
        pe__handle_opened(request->loop);
        return PE_WAIT;
    }
    free_request(request);
    return pe__wait_undo(task, error_of(started));
}

static void end(struct request *request, int result)
{
    pe_loop *loop = request->loop;

    if (request->task != NULL)
        pe__wait_end(request->task, result);
    free_request(request);
    pe__handle_gone(loop);
}

/* ---- addresses ---- */

static void on_addresses(uv_getaddrinfo_t *addresses, int status, struct addrinfo *found)
{
    struct request *request = (struct request *)(void *)addresses;

    if (status == 0 && request->task != NULL)
        *request->ret_addresses = found;
    else
        uv_freeaddrinfo(found);
    end(request, error_of(status));
}

int pe_resolve(pe_task *t, const char *node, const char *service, const struct addrinfo *hints,
               struct addrinfo **ret_addresses)
{
    int result;
    struct request *request = begin(t, ret_addresses != NULL && (node != NULL || service != NULL), &result);

    if (request == NULL)
        return result;
    request->ret_addresses = ret_addresses;
    return begun(request, uv_getaddrinfo(request->loop->uv, &request->uv.addresses, on_addresses, node, service,
                                         hints));
}

void pe_resolve_free(struct addrinfo *addresses)
{
    uv_freeaddrinfo(addresses);
}

/* ---- names ---- */

static bool has_room(const char *text, const char *to, size_t room)
{
    return to == NULL || strlen(text) < room;
}

static void on_name(uv_getnameinfo_t *name, int status, const char *node, const char *service)
{
    struct request *request = (struct request *)(void *)name;
    int result = error_of(status);

    if (result == 0 && (!has_room(node, request->ret_node, request->node_bytes) ||
                        !has_room(service, request->ret_service, request->service_bytes)))
        result = -ENOSPC;
    if (result == 0 && request->task != NULL) {
        if (request->ret_node != NULL)
            strcpy(request->ret_node, node);
        if (request->ret_service != NULL)
            strcpy(request->ret_service, service);
    }
    end(request, result);
}

int pe_resolve_name(pe_task *t, const struct sockaddr *address, int flags, char *ret_node, size_t node_bytes,
                    char *ret_service, size_t service_bytes)
{
    int result;
    bool is_valid = address != NULL && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
    struct request *request = begin(t, is_valid, &result);

    if (request == NULL)
        return result;
    request->ret_node = ret_node;
    request->node_bytes = node_bytes;
    request->ret_service = ret_service;
    request->service_bytes = service_bytes;
    return begun(request, uv_getnameinfo(request->loop->uv, &request->uv.name, on_name, address, flags));
}
