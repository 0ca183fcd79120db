/**
 * The load client of tests/bench: one thread, kernel sockets, wolfSSL, epoll. Prints one line of JSON.
 *
 *   bench-client handshake|keepalive|bulk|idle ADDRESS PORT [options]
 *     -n N       connections at the same time (idle: to open)     -t SECONDS   how long (5)
 *     -H HOST    server name and Host    -p PATH    -C CERT -K KEY    client certificate
 *     -v 1.2|1.3 TLS version (1.3)       -g GROUP     of the key share, as IANA numbers it (23: secp256r1)
 *
 * handshake: connect, full handshake, one request, close, again. keepalive and bulk: requests on kept
 * connections. idle: opens and holds them until a line comes on stdin.
 *
 * A client that is to fill a server which has as much of a CPU as itself must do less than it: this one has one
 * key share for all connections and takes the server's signatures as good. The server has all of its work to do.
 */
#include "base/must.h"
#include "crypto/wolf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/ecc.h>

#define READ_B    65536
#define IN_B      32768
#define SAMPLES_N (1u << 22)

enum mode { HANDSHAKE, KEEPALIVE, BULK, IDLE };
enum state { CONNECTING, SHAKING, SENDING, HEAD, BODY, HELD };

struct client {
    int fd;
    WOLFSSL *ssl;
    enum state state;
    uint64_t begun_ns;
    int64_t left; /* of the body */
    size_t got;   /* of the head */
    char head[1024];
    /* What came from the socket and TLS has not taken; empty: is there nothing more before the next event? */
    size_t in_at, in_b;
    bool drained, ended;
    uint8_t in[IN_B];
};

static struct {
    enum mode mode;
    struct sockaddr_in to;
    const char *host, *path, *cert, *key;
    int conns;
    double seconds;
    bool tls12;
    int group; /* of the key share, as IANA numbers it */
    WOLFSSL_CTX *ctx;
    int ep;
    char request[1024];
    int request_len;
    uint64_t done, errors, bytes, held;
    uint32_t *samples_us;
    bool counting;
} g = {.group = WOLFSSL_ECC_SECP256R1,
       .host = "bench.example",
       .path = "/1k",
       .conns = 32,
       .seconds = 5};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench-client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void done_one(struct client *c)
{
    uint64_t t = now_ns();

    if (g.counting) {
        if (g.done < SAMPLES_N)
            g.samples_us[g.done] = (uint32_t)((t - c->begun_ns) / 1000);
        g.done++;
    }
    c->begun_ns = t;
}

static void hang_up(struct client *c)
{
    if (c->ssl) {
        if (c->state >= SENDING)
            (void)wolfSSL_shutdown(c->ssl);
        wolfSSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void dial(struct client *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->in_at = c->in_b = 0;
    c->drained = c->ended = false;
    c->state = CONNECTING;
    c->begun_ns = now_ns();
    if (connect(c->fd, (struct sockaddr *)&g.to, sizeof(g.to)) < 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(g.ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        die("epoll_ctl");
}

static void fail(struct client *c)
{
    if (g.counting)
        g.errors++;
    hang_up(c);
    dial(c);
}

/* wolfSSL reads a header, then the record, then until EAGAIN: three calls of the system where one will do. */
static int from_socket(WOLFSSL *ssl, char *to, int room, void *ctx)
{
    struct client *c = (struct client *)ctx;
    size_t n;

    (void)ssl;
    if (c->in_at == c->in_b) {
        ssize_t r;

        if (c->drained)
            return WOLFSSL_CBIO_ERR_WANT_READ;
        r = recv(c->fd, c->in, sizeof(c->in), 0);
        if (r <= 0) {
            c->drained = !c->ended;
            return r == 0            ? WOLFSSL_CBIO_ERR_CONN_CLOSE
                   : errno == EAGAIN ? WOLFSSL_CBIO_ERR_WANT_READ
                                     : WOLFSSL_CBIO_ERR_CONN_RST;
        }
        c->in_at = 0;
        c->in_b = (size_t)r;
        /* Less than asked for was all; its end, if that came along, has to be asked for. */
        c->drained = c->in_b < sizeof(c->in) && !c->ended;
    }
    n = c->in_b - c->in_at < (size_t)room ? c->in_b - c->in_at : (size_t)room;
    memcpy(to, c->in + c->in_at, n);
    c->in_at += n;
    return (int)n;
}

/* True: go on. False: wait for the socket, or it has failed and begins anew. */
static bool ready(struct client *c, int r)
{
    int e;

    if (r > 0)
        return true;
    e = wolfSSL_get_error(c->ssl, r);
    if (e != WOLFSSL_ERROR_WANT_READ && e != WOLFSSL_ERROR_WANT_WRITE)
        fail(c);
    return false;
}

static bool shake(struct client *c)
{
    if (!c->ssl) {
        int error = 0;
        socklen_t len = sizeof(error);

        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            fail(c);
            return false;
        }
        c->ssl = wolfSSL_new(g.ctx);
        if (!c->ssl)
            die("wolfSSL_new");
        wolfSSL_set_fd(c->ssl, c->fd);
        wolfSSL_SSLSetIORecv(c->ssl, from_socket);
        wolfSSL_SetIOReadCtx(c->ssl, c);
        wolfSSL_UseSNI(c->ssl, WOLFSSL_SNI_HOST_NAME, g.host, (unsigned short)strlen(g.host));
        if (!g.tls12)
            wolfSSL_UseKeyShare(c->ssl, (word16)g.group);
    }
    if (!ready(c, wolfSSL_connect(c->ssl) == WOLFSSL_SUCCESS ? 1 : -1))
        return false;
    c->state = SENDING;
    return true;
}

static bool send_request(struct client *c)
{
    if (!ready(c, wolfSSL_write(c->ssl, g.request, g.request_len)))
        return false;
    c->state = HEAD;
    c->got = 0;
    return true;
}

/* The whole of a response has come. */
static bool finish(struct client *c)
{
    done_one(c);
    if (g.mode == HANDSHAKE) {
        hang_up(c);
        dial(c);
        return false;
    }
    if (g.mode == IDLE) {
        c->state = HELD;
        g.held++;
        return false;
    }
    c->state = SENDING;
    return true;
}

static bool read_head(struct client *c)
{
    const char *end, *length;
    int r;

    r = wolfSSL_read(c->ssl, c->head + c->got, (int)(sizeof(c->head) - 1 - c->got));
    if (!ready(c, r))
        return false;
    c->got += (size_t)r;
    c->head[c->got] = 0;
    end = strstr(c->head, "\r\n\r\n");
    if (!end && c->got < sizeof(c->head) - 1)
        return true;
    length = strcasestr(c->head, "content-length:");
    if (!end || !length || strncmp(c->head, "HTTP/1.1 200", 12) != 0) {
        fail(c);
        return false;
    }
    c->left = strtoll(length + 15, NULL, 10) - (int64_t)(c->got - (size_t)(end + 4 - c->head));
    g.bytes += g.counting ? c->got : 0;
    c->state = BODY;
    return c->left > 0 || finish(c);
}

static bool read_body(struct client *c)
{
    static char buf[READ_B];
    int r = wolfSSL_read(c->ssl, buf, sizeof(buf));

    if (!ready(c, r))
        return false;
    c->left -= r;
    g.bytes += g.counting ? (uint64_t)r : 0;
    return c->left > 0 || finish(c);
}

static void step(struct client *c)
{
    bool go = true;

    while (go) {
        switch (c->state) {
        case CONNECTING:
        case SHAKING:
            c->state = SHAKING;
            go = shake(c);
            break;
        case SENDING:
            go = send_request(c);
            break;
        case HEAD:
            go = read_head(c);
            break;
        case BODY:
            go = read_body(c);
            break;
        case HELD:
            go = false;
            break;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void print_result(double seconds)
{
    uint64_t n = g.done < SAMPLES_N ? g.done : SAMPLES_N;

    qsort(g.samples_us, n, sizeof(uint32_t), by_value);
    printf("{\"done\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"rate\": %.1f, \"mb_s\": %.1f, "
           "\"p50_us\": %u, \"p99_us\": %u}\n",
           (unsigned long long)g.done, (unsigned long long)g.errors, seconds,
           (double)g.done / seconds, (double)g.bytes / seconds / 1e6, n ? g.samples_us[n / 2] : 0,
           n ? g.samples_us[n * 99 / 100] : 0);
    fflush(stdout);
}

static void spin(uint64_t until_ns)
{
    struct epoll_event evs[256];

    while (now_ns() < until_ns) {
        int n = epoll_wait(g.ep, evs, 256, 100);

        for (int i = 0; i < n; i++) {
            struct client *c = (struct client *)evs[i].data.ptr;

            c->ended |= (evs[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            c->drained &= !(evs[i].events & EPOLLIN) && !c->ended;
            step(c);
        }
        if (g.mode == IDLE && g.held == (uint64_t)g.conns)
            return;
    }
}

/* --- less work for the client --- */

static struct {
    uint8_t x[32], y[32], d[32];
} share; /* P-256, the same for all connections */

static void make_share(void)
{
    word32 nx = sizeof(share.x), ny = sizeof(share.y), nd = sizeof(share.d);
    ecc_key key;
    WC_RNG rng;

    if (wc_InitRng(&rng) != 0 || wc_ecc_init(&key) != 0 ||
        wc_ecc_make_key_ex(&rng, 32, &key, ECC_SECP256R1) != 0 ||
        wc_ecc_export_private_raw(&key, share.x, &nx, share.y, &ny, share.d, &nd) != 0)
        die("key share");
    wc_ecc_free(&key);
    wc_FreeRng(&rng);
}

static int same_share(WOLFSSL *ssl, ecc_key *key, unsigned int size_b, int curve, void *ctx)
{
    (void)ssl, (void)ctx;
    if (size_b != 32 || curve != ECC_SECP256R1)
        return BAD_FUNC_ARG;
    return wc_ecc_import_unsigned(key, share.x, share.y, share.d, curve);
}

static int believe(WOLFSSL *ssl, const unsigned char *sig, unsigned int sig_b,
                   const unsigned char *hash, unsigned int hash_b, const unsigned char *key,
                   unsigned int key_b, int *result, void *ctx)
{
    (void)ssl, (void)sig, (void)sig_b, (void)hash, (void)hash_b, (void)key, (void)key_b, (void)ctx;
    *result = 1;
    return 0;
}

static void setup_tls(void)
{
    if (!IS_OK(wolf_init()))
        die("wolfSSL is not as it was built");
    make_share();
    g.ctx = wolfSSL_CTX_new(g.tls12 ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method());
    if (!g.ctx)
        die("wolfSSL_CTX_new");
    wolfSSL_CTX_set_verify(g.ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetEccKeyGenCb(g.ctx, same_share);
    wolfSSL_CTX_SetEccVerifyCb(g.ctx, believe);
    wolfSSL_CTX_set_session_cache_mode(g.ctx, WOLFSSL_SESS_CACHE_OFF);
    if (g.cert &&
        (wolfSSL_CTX_use_certificate_chain_file(g.ctx, g.cert) != WOLFSSL_SUCCESS ||
         wolfSSL_CTX_use_PrivateKey_file(g.ctx, g.key, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS))
        die("client certificate or key");
}

static void options(int argc, char **argv)
{
    static const char *const modes[] = {"handshake", "keepalive", "bulk", "idle"};
    int o;

    for (int i = 0; argc > 3 && i < 4; i++) {
        if (strcmp(argv[1], modes[i]) == 0)
            g.mode = (enum mode)i;
    }
    if (argc < 4 || inet_pton(AF_INET, argv[2], &g.to.sin_addr) != 1) {
        fprintf(stderr,
                "usage: bench-client handshake|keepalive|bulk|idle ADDRESS PORT [options]\n");
        exit(2);
    }
    g.to.sin_family = AF_INET;
    g.to.sin_port = htons((uint16_t)atoi(argv[3]));
    optind = 4;
    while ((o = getopt(argc, argv, "n:t:H:p:C:K:v:g:")) != -1) {
        switch (o) {
        case 'n':
            g.conns = atoi(optarg);
            break;
        case 't':
            g.seconds = atof(optarg);
            break;
        case 'H':
            g.host = optarg;
            break;
        case 'p':
            g.path = optarg;
            break;
        case 'C':
            g.cert = optarg;
            break;
        case 'K':
            g.key = optarg;
            break;
        case 'g':
            g.group = atoi(optarg);
            break;
        case 'v':
            g.tls12 = strcmp(optarg, "1.2") == 0;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct client *all; /* to the end of the process: LeakSanitizer sees it */
    uint64_t begin;

    options(argc, argv);
    setup_tls();
    g.samples_us = (uint32_t *)malloc(SAMPLES_N * sizeof(uint32_t));
    all = (struct client *)calloc((size_t)g.conns, sizeof(*all));
    g.ep = epoll_create1(EPOLL_CLOEXEC);
    if (!g.samples_us || !all || g.ep < 0)
        die("memory");
    g.request_len =
        snprintf(g.request, sizeof(g.request),
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", g.path, g.host);
    for (int i = 0; i < g.conns; i++) {
        dial(&all[i]);
        if (g.mode == IDLE && i % 64 == 63) /* do not overrun anybody's backlog */
            spin(now_ns() + 20000000u);
    }
    if (g.mode != IDLE)
        spin(now_ns() + 500000000u); /* warm up */
    g.counting = true;
    begin = now_ns();
    spin(begin + (uint64_t)(g.seconds * 1e9));
    if (g.mode == IDLE) {
        printf("{\"held\": %llu}\n", (unsigned long long)g.held);
        fflush(stdout);
        (void)getchar();
        return g.held == (uint64_t)g.conns ? 0 : 1;
    }
    print_result((double)(now_ns() - begin) / 1e9);
    return g.done > 0 && g.errors == 0 ? 0 : 1;
}
