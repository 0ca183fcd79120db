/* The scenarios of the files given: each a test of its own, over IPv4 and over IPv6. */
#include "lib/t.h"
#include "sim/script.h"

#define SCENARIOS_MAX 400

static struct script scripts[SCENARIOS_MAX];
static int count, next;

static void one(void)
{
    const struct script *s = &scripts[next++];
    char error[SCRIPT_ERROR_B];

    for (int v6 = 0; v6 < 2; v6++) {
        if ((v6 && s->only_v4) || (!v6 && s->only_v6))
            continue;
        if (script_run(s, v6, error))
            t_pass(s->title);
        else
            t_fail(s->id, v6 ? 6 : 4, "IPv%d: %s: %s", v6 ? 6 : 4, s->title, error);
    }
}

int main(int argc, char **argv)
{
    const char *only = getenv("SCENARIO");
    char error[SCRIPT_ERROR_B];
    CU_pSuite suite;
    unsigned failed;
    int kept = 0;

    for (int i = 1; i < argc; i++) {
        int n = script_load(argv[i], scripts + count, SCENARIOS_MAX - count, error);

        if (n < 0) {
            fprintf(stderr, "%s\n", error);
            return 2;
        }
        count += n;
    }
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    suite = CU_add_suite("scenarios", NULL, NULL);
    for (int i = 0; suite && i < count; i++) {
        if (only && strcmp(only, scripts[i].id) != 0)
            continue;
        scripts[kept] = scripts[i];
        CU_add_test(suite, scripts[kept].id, one);
        kept++;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures();
    printf("%d scenarios, %u failures\n", kept, failed);
    script_free(scripts, kept);
    CU_cleanup_registry();
    return failed || !kept ? 1 : 0;
}
