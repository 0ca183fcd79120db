#include "lib/t.h"
#include "control/boot.h"
#include "lib/conf.h"

#include <sched.h>

static struct arena arena;
static struct report *report;

static bool boot(const char *own, struct dp_config *out)
{
    struct cfg *c = NULL;
    bool good;

    arena_fini(&arena);
    arena_init(&arena);
    if (!report)
        report = report_new();
    report_clear(report);
    T_NEED(IS_OK(conf_parse(own, report, &c)));
    good = IS_OK(boot_config(c, &arena, report, out));
    cfg_free(c); /* what is in `out` does not need it */
    return good;
}

static unsigned allowed(unsigned *first, unsigned *last)
{
    cpu_set_t set;
    unsigned n = 0;

    sched_getaffinity(0, sizeof(set), &set);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set)) {
            *last = i;
            if (n++ == 0)
                *first = i;
        }
    }
    return n;
}

static void ports_are_copied(void)
{
    struct dp_config d;

    T_NEED(boot(
        "ports = ( { name = \"p\"; device = \"tap:x\"; addresses = [ \"10.77.0.1/24\", "
        "\"2001:db8::1/64\" ];\n"
        " gateway = \"10.77.0.2\"; mtu = 1400; vlan = 7; }, { device = \"tap:y\"; addresses = "
        "\"10.78.0.1/24\"; } );\n"
        "dpdk_args = [ \"-v\", \"-w\" ]; tcp = { time_wait = 5; log_resets = true; }; poll = "
        "\"always\";\n"
        "memory = { hugepages = false; buffers_mb = 9; connections = 100; tls_heap_mb = 11; };",
        &d));
    T_EQ(d.port_count, 2);
    T_STR(d.ports[0].name, "p");
    T_STR(d.ports[0].device, "tap:x");
    T_OK(d.ports[1].name == NULL);
    T_EQ(d.ports[0].address_count, 2);
    T_EQ(d.ports[0].addresses[0].bits, 120);
    T_EQ(d.ports[0].gateway4.b[15], 2);
    T_OK(ip_is_any(&d.ports[0].gateway6));
    T_EQ(d.ports[0].mtu, 1400);
    T_EQ(d.ports[0].vlan, 7);
    T_STR(d.eal_extra[1], "-w");
    T_OK(d.eal_extra[2] == NULL);
    T_EQ(d.time_wait_ms, 5000);
    T_OK(d.log_tcp_resets);
    T_EQ(d.poll, DP_POLL_ALWAYS);
    T_EQ(d.hugepages, 0);
    T_EQ(d.memory_mb, 9);
    T_EQ(d.conns_max, 100);
    T_EQ(d.tls_heap_mb, 11);
}

static void cpus_are_what_the_process_may_use(void)
{
    struct dp_config d;
    unsigned first = 0, last = 0, n = allowed(&first, &last);
    char own[64];

    T_NEED(boot("", &d));
    T_EQ(d.core_count, n > 65 ? 64 : n > 1 ? n - 1 : 1);
    T_EQ(d.lcores[d.core_count - 1], last);
    if (n > 1 && n < 64)
        T_OK(d.lcores[0] != first); /* left to everybody else */
    T_NEED(boot("cores = 1;", &d));
    T_EQ(d.core_count, 1);
    T_EQ(d.lcores[0], last);
    snprintf(own, sizeof(own), "cores = [ %u ];", first);
    T_NEED(boot(own, &d));
    T_EQ(d.lcores[0], first);
}

static void cpus_that_are_not_there_are_said(void)
{
    struct dp_config d;

    T_OK(!boot("poll = \"always\";\ncores = [ 4000 ];", &d));
    T_OK(strstr(conf_report(report), "test.conf:2: cores: this process may not use CPU 4000") !=
         NULL);
    if (sysconf(_SC_NPROCESSORS_ONLN) < 64) {
        T_OK(!boot("cores = 64;", &d));
        T_OK(strstr(conf_report(report), "64 CPUs are asked for") != NULL);
    }
    report_free(report);
    report = NULL;
    arena_fini(&arena);
}

#define TESTS(X) \
    X(ports_are_copied) X(cpus_are_what_the_process_may_use) X(cpus_that_are_not_there_are_said)
T_MAIN("boot", TESTS)
