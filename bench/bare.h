/* The limit: a container like husk's minimal root by the needed system calls and nothing else. Any failure ends the
 * process with the number of the line. */
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bare {
    const char *cgroups;     /* where the leaf is made */
    const char *staging;     /* an empty folder for the root */
    const char *device_tree; /* a prepared /dev */
    const char *program;     /* goes to /stamp of the container and is run there */
    const char *argument;    /* NULL: none */
    int out;                 /* its standard output and error */
    int limits;              /* the memory and pids controllers are there */
    int network, home;       /* a namespace that is kept, and that of the caller; 0: it gets a new one */
    const char *network_files; /* where a sysfs of the kept one is mounted, which the container may not do */
    unsigned long files;     /* hard limit of open files */
    struct sock_filter *filter;
    unsigned short filter_length;
};

pid_t bare_start(const struct bare *bare, const char *name, unsigned base);

#ifdef __cplusplus
}
#endif
