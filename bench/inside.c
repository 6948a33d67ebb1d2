/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench/compare runs inside dom0 and the guest: the same static program on both hypervisors.
 *   inside fork N                  starts itself N times, one after the other
 *   inside pipe N                  passes a byte N times to another process and back
 *   inside mmap N                  N times: maps memory, touches each of its pages, unmaps it
 *   inside read N FILE             N times: reads the file, 4 KiB a call
 *   inside disk N FILE             writes N MiB and reads them, past the cache
 *   inside serve                   the other end of the next two, in the background
 *   inside send|receive HOST MIB   over TCP
 *   inside memory NAME             what of the machine's memory is neither free nor a domain's
 * "inside dom0 ..." puts that word before the names of what is measured.
 * Around what counts it executes a no-op that stopwatch.c knows; it then notes the text that we
 * have in registers, and the guest's console has no part in it.
 */
#define __XEN_TOOLS__ 1
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sysctl.h>

#define PORT        7000
#define MIB         (1 << 20)
#define CHUNK       65536
#define MAX_DOMAINS 64

static char __attribute__((aligned(4096))) chunk[CHUNK];
static const char *prefix = "";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void mark(const char *text)
{
    /* nopl 0x4b52414d(%rax) */
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x4d, 0x41, 0x52, 0x4b" ::"D"(text), "S"(strlen(text))
                     : "memory");
}

static void say(const char *name, const char *what)
{
    char text[80];

    snprintf(text, sizeof(text), "bench: %s%s %s", prefix, name, what);
    mark(text);
}

static void all(int file, size_t length, ssize_t (*move)(int, void *, size_t))
{
    while (length) {
        ssize_t moved = move(file, chunk, length < CHUNK ? length : CHUNK);
        if (moved <= 0)
            die("connection");
        length -= (size_t)moved;
    }
}

static ssize_t put(int file, void *data, size_t length)
{
    return write(file, data, length);
}

static void forks(int count)
{
    say("fork", "begin");
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            execl("/proc/self/exe", "inside", "nothing", NULL);
            _exit(1);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status)
            die("child");
    }
    say("fork", "end");
}

static void pipes(int count)
{
    int there[2], back[2];

    if (pipe(there) || pipe(back))
        die("pipe");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        for (int i = 0; i < count; i++) {
            all(there[0], 1, read);
            all(back[1], 1, put);
        }
        _exit(0);
    }
    say("pipe", "begin");
    for (int i = 0; i < count; i++) {
        all(there[1], 1, put);
        all(back[0], 1, read);
    }
    say("pipe", "end");
    waitpid(child, NULL, 0);
}

#define MAPPED (512 * 4096)

static void maps(int count)
{
    say("mmap", "begin");
    for (int i = 0; i < count; i++) {
        char *memory =
            mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || madvise(memory, MAPPED, MADV_NOHUGEPAGE))
            die("mmap");
        for (int at = 0; at < MAPPED; at += 4096)
            memory[at] = 1;
        munmap(memory, MAPPED);
    }
    say("mmap", "end");
}

static void reads(int count, const char *path)
{
    int file = open(path, O_RDONLY);

    if (file < 0)
        die(path);
    say("read", "begin");
    for (int i = 0; i < count; i++) {
        lseek(file, 0, SEEK_SET);
        while (read(file, chunk, 4096) > 0)
            ;
    }
    say("read", "end");
    close(file);
}

static void disk(int mib, const char *path)
{
    int file = open(path, O_RDWR | O_DIRECT);

    if (file < 0)
        die(path);
    say("write", "begin");
    all(file, (size_t)mib * MIB, put);
    say("write", "end");
    lseek(file, 0, SEEK_SET);
    say("disk", "begin");
    all(file, (size_t)mib * MIB, read);
    say("disk", "end");
    close(file);
}

/* A connection begins with the direction and the length; after the data one byte comes back. */
struct request {
    uint32_t to_us, mib;
};

static void serve(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct request request;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (void *)&here, sizeof(here)) || listen(listener, 4) || daemon(1, 1))
        die("serve");
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0 || recv(client, &request, sizeof(request), MSG_WAITALL) != sizeof(request))
            die("accept");
        all(client, (size_t)request.mib * MIB, request.to_us ? read : put);
        all(client, 1, request.to_us ? put : read);
        close(client);
    }
}

static void transfer(const char *host, int mib, int send_it)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct request request = {.to_us = (uint32_t)send_it, .mib = (uint32_t)mib};
    int server = socket(AF_INET, SOCK_STREAM, 0);

    inet_aton(host, &there.sin_addr);
    if (connect(server, (void *)&there, sizeof(there)))
        die("connect");
    say(send_it ? "send" : "receive", "begin");
    if (write(server, &request, sizeof(request)) != sizeof(request))
        die("request");
    all(server, (size_t)mib * MIB, send_it ? put : read);
    all(server, 1, send_it ? read : put);
    say(send_it ? "send" : "receive", "end");
}

static void sysctl_op(struct xen_sysctl *op)
{
    struct {
        uint64_t number, arguments[5];
    } call = {__HYPERVISOR_sysctl, {(uint64_t)(uintptr_t)op}};
    int privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);

    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (ioctl(privcmd, _IOC(_IOC_NONE, 'P', 0, sizeof(call)), &call) < 0)
        die("sysctl");
    close(privcmd);
}

static void memory(const char *name)
{
    static struct xen_sysctl op;
    static xen_domctl_getdomaininfo_t domains[MAX_DOMAINS];
    uint64_t pages;
    char text[60];

    mlockall(MCL_CURRENT);
    memset(domains, 0, sizeof(domains));
    op.cmd = XEN_SYSCTL_physinfo;
    sysctl_op(&op);
    pages = op.u.physinfo.total_pages - op.u.physinfo.free_pages;
    memset(&op, 0, sizeof(op));
    op.cmd = XEN_SYSCTL_getdomaininfolist;
    op.u.getdomaininfolist.max_domains = MAX_DOMAINS;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, domains);
    sysctl_op(&op);
    for (uint32_t i = 0; i < op.u.getdomaininfolist.num_domains; i++)
        pages -= domains[i].tot_pages;
    snprintf(text, sizeof(text), "= %lu KiB, %u domains", pages * 4,
             op.u.getdomaininfolist.num_domains);
    say(name, text);
}

int main(int count, char **words)
{
    if (count > 1 && !strcmp(words[1], "dom0")) {
        prefix = "dom0-";
        words++;
        count--;
    }
    const char *what = count > 1 ? words[1] : "";

    if (!strcmp(what, "nothing"))
        return 0;
    if (!strcmp(what, "fork") && count == 3)
        forks(atoi(words[2]));
    else if (!strcmp(what, "pipe") && count == 3)
        pipes(atoi(words[2]));
    else if (!strcmp(what, "mmap") && count == 3)
        maps(atoi(words[2]));
    else if (!strcmp(what, "read") && count == 4)
        reads(atoi(words[2]), words[3]);
    else if (!strcmp(what, "disk") && count == 4)
        disk(atoi(words[2]), words[3]);
    else if (!strcmp(what, "serve"))
        serve();
    else if ((!strcmp(what, "send") || !strcmp(what, "receive")) && count == 4)
        transfer(words[2], atoi(words[3]), !strcmp(what, "send"));
    else if (!strcmp(what, "memory") && count == 3)
        memory(words[2]);
    else
        return 2;
    return 0;
}
