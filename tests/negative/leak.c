/* Planted: what it allocates nobody can reach any more. AddressSanitizer must report it. */
#include <stdlib.h>

static void lose(volatile size_t size)
{
    char *volatile lost = malloc(size);
    lost[0] = 'x';
    lost = NULL;
}

int main(void)
{
    lose(64);
    return 0;
}
