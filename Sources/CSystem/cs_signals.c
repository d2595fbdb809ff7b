#define _GNU_SOURCE
#include "CSystem.h"
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

// Lock-free, so a handler may touch it.
static atomic_int stop_signal;

static void remember(int signal) {
    int before = 0;
    if (!atomic_compare_exchange_strong(&stop_signal, &before, signal) && signal == SIGINT
        && before == SIGINT) {
        _exit(130);
    }
    if (before == SIGTERM && signal == SIGINT) {
        // A person asks again after something else asked first: their next one ends it.
        atomic_store(&stop_signal, SIGINT);
    }
}

void cs_catch_stop_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = remember;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int cs_stop_signal(void) { return atomic_load(&stop_signal); }

void cs_release_stop_signals(void) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    atomic_store(&stop_signal, 0);
}
