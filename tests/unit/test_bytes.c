#include "base/bytes.h"
#include "lib/t.h"

static void a_cursor_reads_wire_order(void)
{
    struct rd c = rd_of(SPAN_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x02hi\x00\x01z"));

    T_EQ(rd_u8(&c), 1);
    T_EQ(rd_u16(&c), 0x0203);
    T_EQ(rd_u24(&c), 0x040506);
    T_EQ(rd_u32(&c), 0x0708090a);
    T_SPAN(rd_vec8(&c), "hi");
    T_SPAN(rd_vec16(&c), "z");
    T_OK(rd_done(&c));
    T_EQ(rd_u8(&c), 0);
    T_OK(!rd_ok(&c) && !rd_done(&c));
}

static void a_cursor_that_ran_out_stays_bad(void)
{
    struct rd c = rd_of(SPAN_LIT("\xff\x01\x02"));

    T_EQ(rd_vec8(&c).len, 0);
    T_OK(!rd_ok(&c));
    T_EQ(rd_u8(&c), 0);
}

static void a_writer_drops_what_does_not_fit(void)
{
    uint8_t out[6];
    struct wr w = wr_of(out, sizeof(out));

    wr_u8(&w, 1);
    wr_u16(&w, 0x0203);
    wr_u24(&w, 0x040506);
    T_OK(wr_ok(&w));
    T_EQ(wr_len(&w), 6);
    T_OK(memcmp(out, "\x01\x02\x03\x04\x05\x06", 6) == 0);
    wr_u8(&w, 7);
    T_OK(!wr_ok(&w));
    T_EQ(wr_len(&w), 6);
}

#define TESTS(X)                       \
    X(a_cursor_reads_wire_order)       \
    X(a_cursor_that_ran_out_stays_bad) \
    X(a_writer_drops_what_does_not_fit)
T_MAIN("bytes", TESTS)
