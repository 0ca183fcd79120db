#include "control/slots.h"
#include "lib/t.h"

static struct slot_key key(uint16_t port, const char *name)
{
    struct slot_key k;

    memset(&k, 0, sizeof(k));
    k.remote.addr = ip_v4(0x0a000001);
    k.remote.port = port;
    snprintf(k.name, sizeof(k.name), "%s", name);
    return k;
}

static struct slots *fresh(void)
{
    struct slots *s = NULL;

    T_NEED(IS_OK(slots_new(&s)));
    return s;
}

static void the_same_backend_keeps_its_slot(void)
{
    struct slots *s = fresh();
    struct slot_key a = key(1, "a"), b = key(1, "b");
    uint32_t sa = slots_get(s, &a), sb = slots_get(s, &b);

    T_OK(sa != sb);
    T_EQ(slots_get(s, &a), sa);
    T_EQ(slots_used(s), 2);
    slots_put(s, sa);
    slots_put(s, sa);
    T_EQ(slots_used(s), 1);
    T_EQ(slots_get(s, &a), sa); /* nobody else took it meanwhile */
    T_EQ(slots_used(s), 2);
    slots_free(s);
}

static void what_makes_a_connection_different_makes_another_slot(void)
{
    struct slots *s = fresh();
    struct slot_key k = key(1, "a");
    uint32_t first = slots_get(s, &k);

    k.verify = true;
    T_OK(slots_get(s, &k) != first);
    k.verify = false;
    k.settings[31] = 1;
    T_OK(slots_get(s, &k) != first);
    k.settings[31] = 0;
    k.trust[0] = 1;
    T_OK(slots_get(s, &k) != first);
    k.trust[0] = 0;
    k.min_rsa_bits = 2048;
    T_OK(slots_get(s, &k) != first);
    slots_free(s);
}

static void used_slots_are_never_given_away(void)
{
    struct slots *s = fresh();
    struct slot_key k;

    for (uint16_t i = 0; i < SNAP_SLOTS_MAX; i++) {
        k = key(i, "x");
        T_EQ(slots_get(s, &k), i);
    }
    k = key(9999, "x");
    T_EQ(slots_get(s, &k), SNAP_NONE);
    slots_put(s, 7);
    T_EQ(slots_get(s, &k), 7);
    slots_free(s);
}

static void the_longest_unused_goes_first(void)
{
    struct slots *s = fresh();
    struct slot_key k;

    for (uint16_t i = 0; i < SNAP_SLOTS_MAX; i++) {
        k = key(i, "x");
        (void)slots_get(s, &k);
    }
    slots_put(s, 9);
    slots_put(s, 3);
    k = key(2000, "x");
    T_EQ(slots_get(s, &k), 9);
    k = key(3, "x");
    T_EQ(slots_get(s, &k), 3); /* still known by its key */
    slots_free(s);
}

#define TESTS(X)                                            \
    X(the_same_backend_keeps_its_slot)                      \
    X(what_makes_a_connection_different_makes_another_slot) \
    X(used_slots_are_never_given_away) X(the_longest_unused_goes_first)
T_MAIN("slots", TESTS)
