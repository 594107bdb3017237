/*
 * fuzz-address.c - addresses of sockets, out of text and into text.
 *
 * What has been parsed has a text, of which the same address is made again; the text is cut where there is no room, and
 * never written beyond it.
 */
#include "fuzz.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <parexec/socket.h>

#include "async/address.h"
#include "expect.h"
#include "input.h"

/* To be freed; exactly as long as what is left of the input. */
static char *take_text(struct input *input)
{
    size_t count = (size_t)(input->end - input->at);
    char *text = malloc(count + 1);

    demand(text != NULL);
    memcpy(text, input->at, count);
    text[count] = '\0';
    return text;
}

/* To be freed; of any room, which it fills with no more than the text and its end. */
static char *text_of(const struct sockaddr *address, size_t address_bytes, size_t room)
{
    char *text = malloc(room + 1);

    demand(text != NULL);
    memset(text, 'x', room + 1);
    int result = demand_named(pe_address_text(address, address_bytes, text, room));
    demand(text[room] == 'x');
    if (result == 0)
        demand(memchr(text, '\0', room) != NULL);
    else
        memset(text, '\0', 1);
    return text;
}

/* "1.2.3.4:5" as "1.2.3.4", "[::1]:5" as "::1". */
static char *without_port(char *text)
{
    char *end = text[0] == '[' ? strrchr(text, ']') : strrchr(text, ':');

    demand(end != NULL);
    *end = '\0';
    return text + (text[0] == '[');
}

static void check_zone(const char *text, const struct sockaddr_storage *address)
{
    const char *zone = strchr(text, '%');
    uint32_t scope = ((const struct sockaddr_in6 *)address)->sin6_scope_id;
    char *end;

    if (zone == NULL || address->ss_family != AF_INET6)
        return;
    demand(scope != 0);
    if (if_nametoindex(zone + 1) == 0)
        demand(zone[1] >= '0' && zone[1] <= '9' && strtoull(zone + 1, &end, 10) == scope && *end == '\0');
}

static void parse(struct input *input)
{
    uint16_t port = (uint16_t)input_take(input, 2);
    struct sockaddr_storage address, again;
    size_t bytes, again_bytes;
    char *text = take_text(input);

    if (demand_named(pe_address_parse(text, port, &address, &bytes)) == 0) {
        demand(pe__address_check((struct sockaddr *)&address, bytes) == 0);
        check_zone(text, &address);
        char *made = text_of((struct sockaddr *)&address, bytes, PE_ADDRESS_TEXT_BYTES);
        demand(pe_address_parse(without_port(made), port, &again, &again_bytes) == 0);
        demand(bytes == again_bytes && memcmp(&address, &again, bytes) == 0);
        free(made);
    }
    free(text);
}

/* Of any kind and any length. */
static void print(struct input *input)
{
    size_t room = (size_t)input_take(input, 1), count;
    uint16_t family = (uint16_t)input_take(input, 1);
    unsigned char *bytes;

    count = (size_t)(input->end - input->at) + sizeof family;
    bytes = malloc(count);
    demand(bytes != NULL);
    memcpy(bytes, &family, sizeof family);
    memcpy(bytes + sizeof family, input->at, count - sizeof family);
    free(text_of((struct sockaddr *)(void *)bytes, count, room));
    free(bytes);
}

static void path(struct input *input)
{
    struct sockaddr_storage address;
    size_t bytes;
    char *text = take_text(input);

    if (demand_named(pe__address_of_path(text, &address, &bytes)) == 0) {
        char *made = text_of((struct sockaddr *)&address, bytes, PE_ADDRESS_TEXT_BYTES);
        demand(strcmp(made, text) == 0);
        free(made);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct input input = { bytes, bytes + count };

    switch (input_take(&input, 1) % 3) {
    case 0: parse(&input); break;
    case 1: print(&input); break;
    default: path(&input);
    }
    return 0;
}
