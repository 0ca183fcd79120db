/**
 * abi: the table of functions that the public packetdrill asks a shared object for (--so_filename). Its shape
 * is given by that program; names and comments are ours.
 */
#ifndef SALLYPORT_TESTS_PACKETDRILL_ABI_H
#define SALLYPORT_TESTS_PACKETDRILL_ABI_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct drill_abi {
    void *me;
    void (*free)(void *me);
    int (*socket)(void *me, int domain, int type, int protocol);
    int (*bind)(void *me, int fd, const struct sockaddr *a, socklen_t n);
    int (*listen)(void *me, int fd, int backlog);
    int (*accept)(void *me, int fd, struct sockaddr *a, socklen_t *n);
    int (*connect)(void *me, int fd, const struct sockaddr *a, socklen_t n);
    ssize_t (*read)(void *me, int fd, void *to, size_t n);
    ssize_t (*readv)(void *me, int fd, const struct iovec *v, int count);
    ssize_t (*recv)(void *me, int fd, void *to, size_t n, int flags);
    ssize_t (*recvfrom)(void *me, int fd, void *to, size_t n, int flags, struct sockaddr *a,
                        socklen_t *an);
    ssize_t (*recvmsg)(void *me, int fd, struct msghdr *m, int flags);
    ssize_t (*write)(void *me, int fd, const void *p, size_t n);
    ssize_t (*writev)(void *me, int fd, const struct iovec *v, int count);
    ssize_t (*send)(void *me, int fd, const void *p, size_t n, int flags);
    ssize_t (*sendto)(void *me, int fd, const void *p, size_t n, int flags,
                      const struct sockaddr *a, socklen_t an);
    ssize_t (*sendmsg)(void *me, int fd, const struct msghdr *m, int flags);
    int (*fcntl)(void *me, int fd, int cmd, ...);
    int (*ioctl)(void *me, int fd, unsigned long request, ...);
    int (*close)(void *me, int fd);
    int (*shutdown)(void *me, int fd, int how);
    int (*getsockopt)(void *me, int fd, int level, int name, void *to, socklen_t *n);
    int (*setsockopt)(void *me, int fd, int level, int name, const void *p, socklen_t n);
    int (*poll)(void *me, struct pollfd *fds, nfds_t n, int timeout_ms);
    int (*netdev_send)(void *me, const void *packet, size_t n);
    int (*netdev_receive)(void *me, void *to, size_t *n, long long *time_us);
    int (*usleep)(void *me, useconds_t us);
    int (*gettimeofday)(void *me, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *me, int size);
    int (*epoll_ctl)(void *me, int ep, int op, int fd, struct epoll_event *e);
    int (*epoll_wait)(void *me, int ep, struct epoll_event *events, int max, int timeout_ms);
    int (*pipe)(void *me, int fds[2]);
    ssize_t (*splice)(void *me, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
                      unsigned flags);
};

/* TCP_INFO as Linux lays it out: what scripts look at by name. */
struct drill_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, wscales, flags;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
};

void packetdrill_interface_init(const char *flags, struct drill_abi *abi);

#endif
