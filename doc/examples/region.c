#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

static int numbers[10000];

static int compare(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int fibonacci(int n)
{
    PE_REGION_SCOPE("fibonacci");
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(void)
{
    pe_region_enable(1);
    for (int round = 0; round < 20; round++) {
        PE_REGION_SCOPE("round");
        PE_REGION("fill") {
            for (int i = 0; i < 10000; i++)
                numbers[i] = rand();
        }
        PE_REGION("sort") {
            qsort(numbers, 10000, sizeof *numbers, compare);
        }
        PE_COUNT("sum", fibonacci(10));
    }
    pe_report(stdout, NULL);
    return 0;
}
