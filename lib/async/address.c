/*
 * address.c - addresses of sockets and their texts.
 */
#include "async/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <parexec/error.h>
#include <parexec/socket.h>

int pe__address_check(const struct sockaddr *address, size_t bytes)
{
    if (address == NULL || bytes < sizeof address->sa_family)
        return PE_EINVAL;
    if (address->sa_family == AF_INET && bytes >= sizeof(struct sockaddr_in))
        return 0;
    return address->sa_family == AF_INET6 && bytes >= sizeof(struct sockaddr_in6) ? 0 : PE_EINVAL;
}

int pe__address_of_path(const char *path, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    struct sockaddr_un *un = (struct sockaddr_un *)ret_address;

    if (path == NULL || *path == '\0' || strlen(path) >= sizeof un->sun_path)
        return PE_EINVAL;
    *ret_address = (struct sockaddr_storage){ .ss_family = AF_UNIX };
    strcpy(un->sun_path, path);
    *ret_bytes = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
    return 0;
}

/* ---- from text ---- */

/* The number of an interface as a text, of digits alone; 0: it is none. */
static uint32_t scope_of(const char *digits)
{
    char *end;

    if (*digits < '0' || *digits > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(digits, &end, 10);
    return *end == '\0' && errno == 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* "fe80::1%eth0", or with the number of the interface. */
static bool parse_ip6(const char *text, struct sockaddr_in6 *ret_address)
{
    char host[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    size_t length = zone != NULL ? (size_t)(zone - text) : strlen(text);

    if (length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    if (inet_pton(AF_INET6, host, &ret_address->sin6_addr) != 1)
        return false;
    if (zone == NULL)
        return true;
    ret_address->sin6_scope_id = if_nametoindex(zone + 1);
    if (ret_address->sin6_scope_id == 0)
        ret_address->sin6_scope_id = scope_of(zone + 1);
    return ret_address->sin6_scope_id != 0;
}

int pe_address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_storage address = { 0 };

    if (text == NULL || ret_address == NULL || ret_bytes == NULL)
        return PE_EINVAL;
    bool is_ip4 = strcmp(text, "*") == 0 || inet_pton(AF_INET, text, &ip4.sin_addr) == 1;
    if (!is_ip4 && !parse_ip6(text, &ip6))
        return PE_EINVAL;
    memcpy(&address, is_ip4 ? (void *)&ip4 : (void *)&ip6, is_ip4 ? sizeof ip4 : sizeof ip6);
    *ret_address = address;
    *ret_bytes = is_ip4 ? sizeof ip4 : sizeof ip6;
    return 0;
}

/* ---- to text ---- */

static void print_ip4(const struct sockaddr *address, char *text, size_t bytes)
{
    const struct sockaddr_in *ip4 = (const void *)address;
    char host[INET_ADDRSTRLEN] = "";

    inet_ntop(AF_INET, &ip4->sin_addr, host, sizeof host);
    snprintf(text, bytes, "%s:%u", host, ntohs(ip4->sin_port));
}

static void print_ip6(const struct sockaddr *address, char *text, size_t bytes)
{
    const struct sockaddr_in6 *ip6 = (const void *)address;
    char host[INET6_ADDRSTRLEN] = "", zone[IF_NAMESIZE + 2] = "";

    inet_ntop(AF_INET6, &ip6->sin6_addr, host, sizeof host);
    if (ip6->sin6_scope_id != 0 && if_indextoname(ip6->sin6_scope_id, zone + 1) != NULL)
        zone[0] = '%';
    else if (ip6->sin6_scope_id != 0)
        snprintf(zone, sizeof zone, "%%%u", ip6->sin6_scope_id);
    snprintf(text, bytes, "[%s%s]:%u", host, zone, ntohs(ip6->sin6_port));
}

static void print_path(const struct sockaddr *address, size_t address_bytes, char *text, size_t bytes)
{
    const struct sockaddr_un *un = (const void *)address;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t length = address_bytes > head ? address_bytes - head : 0;
    bool is_abstract = length > 1 && un->sun_path[0] == '\0';

    if (!is_abstract)
        length = strnlen(un->sun_path, length);
    snprintf(text, bytes, "%.*s", (int)length, un->sun_path);
    if (is_abstract)
        snprintf(text, bytes, "@%.*s", (int)length - 1, un->sun_path + 1);
}

int pe_address_text(const struct sockaddr *address, size_t address_bytes, char *ret_text, size_t bytes)
{
    bool is_unix = address != NULL && address_bytes >= sizeof address->sa_family &&
                   address_bytes <= sizeof(struct sockaddr_un) && address->sa_family == AF_UNIX;

    if (ret_text == NULL || bytes == 0 || (!is_unix && pe__address_check(address, address_bytes) < 0))
        return PE_EINVAL;
    if (is_unix)
        print_path(address, address_bytes, ret_text, bytes);
    else if (address->sa_family == AF_INET)
        print_ip4(address, ret_text, bytes);
    else
        print_ip6(address, ret_text, bytes);
    return 0;
}
