/* init.c - pe_init: the seed that keepers are forked from, and a note of the code that it has. */
#include <parexec/error.h>
#include <parexec/init.h>

#include "base/sized.h"
#include "keeper/seed.h"
#include "pool/loaded.h"
#include "worker/crash.h"

int pe_init(const pe_init_options *options)
{
    pe_init_options checked;
    int result = PE__BASE_CHECK_SIZED(pe_init_options, options, &checked);
    if (result < 0)
        return result;
    if (checked.flags != 0 || checked.reserved != 0)
        return PE_EINVAL;
    pe__worker_prepare_crashes();
    struct pe__loaded loaded;
    result = pe__loaded_note(&loaded);
    if (result < 0)
        return result;
    result = pe__seed_start(checked.reserve_bytes);
    if (result < 0) {
        pe__loaded_fini(&loaded);
        return result;
    }
    pe__loaded_keep_at_init(&loaded);
    return 0;
}
