#include "net/eal.h"

#include "base/sb.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARGS_MAX 64
#define ARG_B    512

struct args {
    char text[ARGS_MAX][ARG_B];
    char *v[ARGS_MAX + 1];
    int n;
};

static void arg(struct args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void arg(struct args *a, const char *fmt, ...)
{
    va_list ap;

    if (a->n == ARGS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(a->text[a->n], ARG_B, fmt, ap);
    va_end(ap);
    a->v[a->n] = a->text[a->n];
    a->n++;
}

/* --- devices --- */

static const struct {
    const char *kind;   /* in front of the colon */
    const char *driver; /* DPDK's */
    const char *fmt;    /* of the arguments: %1$s what is behind the colon, %2$u queues */
} kinds[] = {
    {"af_packet", "net_af_packet",
     "iface=%1$s,qpairs=%2$u,blocksz=65536,framesz=2048,framecnt=2048,qdisc_bypass=1"},
    {"af_xdp", "net_af_xdp", "iface=%1$s,queue_count=%2$u"},
    {"tap", "net_tap", "iface=%1$s"},
    {"memif", "net_memif", "socket=%1$s,socket-abstract=no"},
    {"virtio_user", "net_virtio_user", "path=%1$s,queues=%2$u,queue_size=1024"},
    {"virtio_server", "net_virtio_user", "path=%1$s,queues=%2$u,queue_size=1024,server=1"},
    {"vhost", "net_vhost", "iface=%1$s,queues=%2$u"},
    {"pcap", "net_pcap", "%1$s"},
    {"ring", "net_ring", "%1$s"},
    {"null", "net_null", "%1$s"},
};

static bool is_pci(const char *d)
{
    unsigned dom, bus, dev, fn;
    int used = 0;

    if (sscanf(d, "%x:%x:%x.%x%n", &dom, &bus, &dev, &fn, &used) == 4 && d[used] == '\0')
        return true;
    used = 0;
    return sscanf(d, "%x:%x.%x%n", &bus, &dev, &fn, &used) == 3 && d[used] == '\0';
}

/* "net_xxx,args": DPDK's own words; a name without a number gets one. */
static void raw_vdev(const char *d, uint32_t index, char *name, size_t name_cap, char *vdev,
                     size_t vdev_cap)
{
    size_t len = strcspn(d, ",");

    if (len && isdigit((unsigned char)d[len - 1]))
        snprintf(name, name_cap, "%.*s", (int)len, d);
    else
        snprintf(name, name_cap, "%.*s%u", (int)len, d, index);
    snprintf(vdev, vdev_cap, "%s%s", name, d + len);
}

bool eal_device(const char *device, uint32_t index, uint32_t queues, char *name, size_t name_cap,
                char *vdev, size_t vdev_cap)
{
    size_t kind_len = strcspn(device, ":");
    const char *rest = device[kind_len] ? device + kind_len + 1 : "";

    vdev[0] = '\0';
    if (is_pci(device)) {
        snprintf(name, name_cap, "%s", device);
        return true;
    }
    if (strncmp(device, "net_", 4) == 0) {
        raw_vdev(device, index, name, name_cap, vdev, vdev_cap);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct sb s = sb_of(vdev, vdev_cap);
        char fmt_args[256];

        if (strlen(kinds[i].kind) != kind_len || strncmp(kinds[i].kind, device, kind_len) != 0)
            continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
#pragma GCC diagnostic ignored "-Wformat-extra-args" /* not every kind wants both */
        snprintf(fmt_args, sizeof(fmt_args), kinds[i].fmt, rest, queues);
#pragma GCC diagnostic pop
        snprintf(name, name_cap, "%s%u", kinds[i].driver, index);
        sb_str(&s, name);
        if (fmt_args[0])
            sb_fmt(&s, ",%s", fmt_args);
        return !s.cut;
    }
    return false;
}

/* --- memory and CPUs --- */

static bool free_hugepages(void)
{
    FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
    unsigned long n = 0;

    if (!f)
        return false;
    if (fscanf(f, "%lu", &n) != 1)
        n = 0;
    fclose(f);
    return n >= 64;
}

/* All CPUs that this process may use and that do not poll; all of them when none is left. */
static void main_cpus(const struct eal_config *cfg, struct sb *out)
{
    cpu_set_t set;
    bool any = false;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        CPU_SET(0, &set);
    for (int pass = 0; pass < 2 && !any; pass++) {
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            bool polls = false;

            for (uint32_t i = 0; i < cfg->cpu_count; i++)
                polls |= cfg->cpus[i] == cpu;
            if (!CPU_ISSET(cpu, &set) || (polls && pass == 0))
                continue;
            sb_fmt(out, "%s%u", any ? "," : "", cpu);
            any = true;
        }
    }
}

static void lcores(struct args *a, const struct eal_config *cfg)
{
    char text[ARG_B];
    struct sb s = sb_of(text, sizeof(text));

    sb_str(&s, "0@(");
    main_cpus(cfg, &s);
    sb_str(&s, ")");
    for (uint32_t i = 0; i < cfg->cpu_count; i++)
        sb_fmt(&s, ",%u@%u", eal_lcore(i), cfg->cpus[i]);
    arg(a, "--lcores=%s", text);
    arg(a, "--main-lcore=0");
}

static bool devices(struct args *a, const struct eal_config *cfg, struct report *report)
{
    bool pci = false, ok = true;

    for (uint32_t i = 0; i < cfg->device_count; i++) {
        char name[EAL_NAME_B], vdev[ARG_B];

        if (!eal_device(cfg->devices[i], i, cfg->cpu_count, name, sizeof(name), vdev,
                        sizeof(vdev))) {
            report_add(report, REPORT_ERROR, NULL, 0,
                       "a PCI address, af_packet:IFACE, af_xdp:IFACE, tap:NAME, memif:SOCKET, "
                       "virtio_user:SOCKET, vhost:SOCKET, or a DPDK device string",
                       "ports: device \"%s\" is not of a known kind", cfg->devices[i]);
            ok = false;
        } else if (vdev[0]) {
            arg(a, "--vdev=%s", vdev);
        } else {
            arg(a, "-a%s", name);
            pci = true;
        }
    }
    if (!pci)
        arg(a, "--no-pci");
    return ok;
}

res eal_start(const struct eal_config *cfg, struct report *report, bool *huge)
{
    static struct args a; /* EAL keeps pointers into it */
    bool want = cfg->hugepages == 1 || (cfg->hugepages == -1 && free_hugepages());

    *huge = want;
    a.n = 0;
    arg(&a, "sallyport");
    lcores(&a, cfg);
    arg(&a, "--file-prefix=sallyport-%d", (int)getpid());
    arg(&a, "--log-level=lib.*:warning");
    arg(&a, "--log-level=pmd.*:warning");
    if (!cfg->telemetry)
        arg(&a, "--no-telemetry");
    if (want) {
        arg(&a, "--in-memory");
    } else {
        arg(&a, "--no-huge");
        arg(&a, "--no-shconf");
        arg(&a, "-m%u", cfg->memory_mb);
    }
    if (!devices(&a, cfg, report))
        return ERR(FAIL);
    for (uint32_t i = 0; cfg->extra && cfg->extra[i]; i++)
        arg(&a, "%s", cfg->extra[i]);
    a.v[a.n] = NULL;
    if (rte_eal_init(a.n, a.v) < 0) {
        report_add(report, REPORT_ERROR, NULL, 0,
                   want ? "are there enough free 2 MB hugepages? memory.hugepages = false does "
                          "without; run as root or with CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK"
                        : "run as root or with CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK; the "
                          "devices of all ports must exist",
                   "DPDK does not start: %s (its own messages are above)", rte_strerror(rte_errno));
        return ERR(FAIL);
    }
    return OK;
}

void eal_stop(void)
{
    (void)rte_eal_cleanup();
}
