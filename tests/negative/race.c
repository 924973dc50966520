/* Planted: two threads count without atomics. ThreadSanitizer must report it. */
#include <pthread.h>
#include <stddef.h>

static int counter;

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < 100000; i++)
        counter++;
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
