/**
 * Target: sequences of frames against a live stack (l3 and tcp), in virtual time, with an application that
 * echoes what it reads and one connection of its own.
 *
 * The input is a list of steps, each one byte of kind and its bytes:
 *   0 raw frame: length (2), bytes        1 segment with true headers and checksums: see peer_segment()
 *   2 time passes: 2 bytes of 64 us       3 the application closes (bit 0: aborts) its n-th stream
 *   4 connect out                         5 the application stops or starts reading
 *   6 a segment's answer: ACK of all that was sent to the peer, so that states go on
 *   7 the application writes              8 ACK of a part, with a SACK block
 *   9 ICMP error about the last segment   10 the application ends its side of the n-th stream
 *  11 the peer speaks the other IP        12 SYNs from many ports
 *  13 raw frame, its checksums and lengths put right
 * What must hold at the end: connections closed and time gone by, all buffers are back.
 */
#include "fuzz/packet.h"

static void step(struct world *w, struct reader *r)
{
    uint32_t n;

    switch (take(r, 1) % 14) {
    case 0:
        peer_raw(w, r, false);
        break;
    case 1:
        peer_segment(w, r);
        break;
    case 2:
        world_pass(w, (uint64_t)take(r, 2) * 64000);
        break;
    case 3:
        app_lets_go(w, take(r, 1));
        break;
    case 4:
        app_connects(w);
        break;
    case 5:
        w->reading = !w->reading;
        world_settle(w);
        break;
    case 6:
        peer_ack(w);
        break;
    case 7:
        n = take(r, 1);
        app_writes(w, n, take(r, 2));
        break;
    case 8:
        peer_sack(w, r);
        break;
    case 9:
        peer_icmp_error(w, r);
        break;
    case 10:
        app_ends(w, take(r, 1));
        break;
    case 11:
        w->six = !w->six;
        break;
    case 12:
        peer_flood(w, take(r, 1));
        break;
    default:
        peer_raw(w, r, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size < 8192 ? size : 8192};
    static struct world w;

    world_begin(&w);
    while (r.left)
        step(&w, &r);
    world_end(&w);
    return 0;
}
