/**
 * hook: packetdrill reads TCP_INFO for its assertions by the system's getsockopt, not through the table. So that
 * those scripts run too, the program's own link to getsockopt is turned to us; what is not ours goes on to
 * the system.
 */
#include "packetdrill/so.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct so *the_one;

static int hooked(int fd, int level, int name, void *to, socklen_t *n)
{
    int r;

    if (the_one && sock_at(the_one, fd)) {
        pthread_mutex_lock(&the_one->lock);
        r = opt_get(the_one, fd, level, name, to, n);
        pthread_mutex_unlock(&the_one->lock);
        return r;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, to, n);
}

struct tables {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * rela[2];
    size_t rela_b[2];
};

static void find_tables(const struct dl_phdr_info *info, const ElfW(Dyn) * d, struct tables *t)
{
    for (; d->d_tag != DT_NULL; d++) {
        ElfW(Addr) at =
            d->d_un.d_ptr < info->dlpi_addr ? info->dlpi_addr + d->d_un.d_ptr : d->d_un.d_ptr;

        if (d->d_tag == DT_SYMTAB)
            t->symbols = (const ElfW(Sym) *)at;
        else if (d->d_tag == DT_STRTAB)
            t->names = (const char *)at;
        else if (d->d_tag == DT_JMPREL)
            t->rela[0] = (const ElfW(Rela) *)at;
        else if (d->d_tag == DT_PLTRELSZ)
            t->rela_b[0] = d->d_un.d_val;
        else if (d->d_tag == DT_RELA)
            t->rela[1] = (const ElfW(Rela) *)at;
        else if (d->d_tag == DT_RELASZ)
            t->rela_b[1] = d->d_un.d_val;
    }
}

static void turn_to_us(ElfW(Addr) at)
{
    uintptr_t page = at & ~(uintptr_t)(getpagesize() - 1);

    if (mprotect((void *)page, (size_t)getpagesize(), PROT_READ | PROT_WRITE) == 0)
        *(uintptr_t *)at = (uintptr_t)hooked;
}

/* The first object is the program. */
static int one_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct tables t = {0};

    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            find_tables(info, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                        &t);
    }
    for (int k = 0; t.symbols && t.names && k < 2; k++) {
        for (size_t i = 0; t.rela[k] && i < t.rela_b[k] / sizeof(ElfW(Rela)); i++) {
            const ElfW(Sym) *s = &t.symbols[ELF64_R_SYM(t.rela[k][i].r_info)];

            if (strcmp(t.names + s->st_name, "getsockopt") == 0)
                turn_to_us(info->dlpi_addr + t.rela[k][i].r_offset);
        }
    }
    return 1;
}

void so_hook(struct so *so)
{
    the_one = so;
    if (so)
        dl_iterate_phdr(one_object, NULL);
}
