/* A file with all of the macros, which is compiled with regions and without them. */
#include <parexec/region.h>

int sample(int count);

int sample(int count)
{
    int sum = 0;

    PE_REGION_SCOPE("sample");
    PE_REGION("loop")
        for (int i = 0; i < count; i++) {
            PE_LINE();
            sum += i;
            PE_COUNT("count", 1);
        }
    PE_MARK("done");
    return sum;
}
