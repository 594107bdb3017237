/*
 * The version that was built, for programs that were compiled against another one.
 */
#include <parexec/version.h>

int pe_version(void)
{
    return PE_VERSION_NUMBER;
}

const char *pe_version_string(void)
{
    return PE_VERSION_STRING;
}
