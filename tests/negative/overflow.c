/* Planted: writes one byte past a block. AddressSanitizer must stop it. */
#include <stdlib.h>

int main(void)
{
    volatile size_t size = 16;
    char *block = malloc(size);
    block[size] = 'x';
    free(block);
    return 0;
}
