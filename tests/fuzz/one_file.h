/* one_file.h - a file of the fuzzer's own, written anew for each input, and gone at the end. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "fuzz-file-XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    int file = mkstemp(path);
    if (file < 0 || atexit(remove_file) != 0) abort();
    close(file);
    return 0;
}

static void put_file(const void *data, size_t size)
{
    int file = open(path, O_WRONLY | O_TRUNC);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    close(file);
}
