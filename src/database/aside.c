/*
 * aside.c - what need not be waited for is done by a thread beside the sessions.
 *
 * Who pressed Ctrl-C waits for the prompt. Taking back a million changes takes a good part of the time
 * that making them took, and the machine takes 0.1 s to be given back a gigabyte; so both are done
 * aside. Whoever needs the transaction or the writer token waits until it is done (aside_await: Ctrl-C
 * ends that, too), and nobody else can tell: what is taken back was never published, and readers look
 * past it as they did while it was made.
 *
 * One thread does one thing after the other; it ends when nothing is left, and is made anew for what
 * comes then. Without a thread things are done at once.
 */
#include "config.h"

#include "database/database_internal.h"
#include <signal.h>

struct AsideWork {
    struct AsideWork *next;
    void (*work)(void *user);
    void *user;
};

static void *run(void *user)
{
    Database *database = user;
    Aside *aside = &database->aside;
    pthread_mutex_lock(&database->lock);
    while (aside->first != NULL) {
        AsideWork *first = aside->first;
        pthread_mutex_unlock(&database->lock);
        first->work(first->user);
        pthread_mutex_lock(&database->lock);
        aside->first = first->next;
        mem_free(first);
    }
    aside->working = false;
    pthread_cond_broadcast(&aside->idle);
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* With the lock. Signals are for the program's own threads. */
static bool start(Database *database)
{
    sigset_t all, before;
    Aside *aside = &database->aside;
    /* The thread before has nothing to do any more, and does not want the lock. */
    if (aside->joinable) pthread_join(aside->thread, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    aside->joinable = pthread_create(&aside->thread, NULL, run, database) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return aside->working = aside->joinable;
}

bool aside_do(Database *database, void (*work)(void *user), void *user)
{
    Aside *aside = &database->aside;
    AsideWork *added = mem_alloc(sizeof *added), **last = &aside->first;
    *added = (AsideWork){NULL, work, user};
    pthread_mutex_lock(&database->lock);
    while (*last != NULL)
        last = &(*last)->next;
    *last = added;
    bool given = aside->working || start(database);
    if (!given) *last = NULL;
    pthread_mutex_unlock(&database->lock);
    if (given) return true;
    mem_free(added);
    work(user);
    return false;
}

bool aside_is_working(Database *database)
{
    pthread_mutex_lock(&database->lock);
    bool working = database->aside.working;
    pthread_mutex_unlock(&database->lock);
    return working;
}

bool aside_await(Database *database, bool (*stop)(void *state), void *state)
{
    bool stopped = false;
    pthread_mutex_lock(&database->lock);
    while (database->aside.working && !stopped)
        stopped = wait_a_while(database, &database->aside.idle, INT64_MAX, stop, state);
    pthread_mutex_unlock(&database->lock);
    return !stopped;
}

void aside_wait(Database *database)
{
    aside_await(database, NULL, NULL);
}

void aside_settle(Database *database)
{
    aside_wait(database);
    if (database->aside.joinable) pthread_join(database->aside.thread, NULL);
    database->aside.joinable = false;
}
