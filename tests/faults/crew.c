/* crew.c - see crew.h. */
#include "config.h"

#include "crew.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

size_t crew_count(void)
{
    const char *told = getenv("FAULTS_WORKERS");
    long count = told != NULL ? atol(told) : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > CREW_MAX ? CREW_MAX : (size_t)count;
}

static bool ended_well(pid_t pid)
{
    int status = 0;
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    printf("# one of the processes ended with status %d, signal %d\n", WEXITSTATUS(status),
           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return false;
}

bool crew_run(CrewWork *work, void *user, void *results, size_t result_bytes)
{
    size_t count = crew_count(), bytes = count * result_bytes;
    pid_t pids[CREW_MAX];
    char *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    fflush(stdout);
    for (size_t me = 0; me < count; me++) {
        pids[me] = fork();
        if (pids[me] != 0) continue;
        work(user, me, count, shared + me * result_bytes);
        fflush(stdout);
        _exit(0);
    }
    bool good = true;
    for (size_t me = 0; me < count; me++)
        good &= ended_well(pids[me]);
    memcpy(results, shared, bytes);
    munmap(shared, bytes);
    return good;
}
