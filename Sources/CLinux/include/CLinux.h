// What Glibc's Swift module leaves out: epoll, eventfd, signalfd, accept4, fallocate, and CRC-32C.
// _GNU_SOURCE is defined for the C file only: in this header it would clash with Glibc's module over fd_set.
#ifndef TOLLGATE_CLINUX_H
#define TOLLGATE_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// One readiness report. `data` is what was given to cl_epoll_control: a registration id, never a descriptor,
// so that a late event of a closed descriptor can be told from a new one.
typedef struct cl_event {
    uint32_t events;
    uint64_t data;
} cl_event;

enum {
    CL_EPOLLIN = 0x001,
    CL_EPOLLOUT = 0x004,
    CL_EPOLLERR = 0x008,
    CL_EPOLLHUP = 0x010,
    CL_EPOLLRDHUP = 0x2000,
};

enum { CL_EPOLL_ADD = 1, CL_EPOLL_DELETE = 2, CL_EPOLL_MODIFY = 3 };

// Each returns what the system call returns; on -1 errno says why.
int cl_epoll_create(void);
int cl_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data);
int cl_epoll_wait(int epoll, cl_event *events, int capacity, int timeout_ms);
// Waits until the descriptor can be read or so many nanoseconds are over: 1 or 0, or -1 with errno.
int cl_wait_readable(int descriptor, int64_t timeout_ns);
// How late the kernel may wake the calling thread from such a wait, in nanoseconds; by default 50,000.
void cl_timer_slack(int64_t slack_ns);
int cl_eventfd(void);
int cl_accept(int listener);
// A non-blocking, close-on-exec TCP socket.
int cl_tcp_socket(int family);
// Blocks SIGTERM, SIGINT and SIGHUP for the whole process and returns a descriptor that reads them; call before any thread starts.
int cl_signal_descriptor(void);
// The number of the next signal on the descriptor, 0 when there is none, -1 with errno.
int cl_signal_read(int descriptor);
// syncfs(2): all of the file system that the descriptor is on.
int cl_sync_file_system(int descriptor);
// Whether the descriptor's reads and writes go past the kernel's page cache (fcntl(2), O_DIRECT): 0, or -1 with errno EINVAL where
// the file system cannot do that.
int cl_set_direct(int descriptor, int is_direct);
// pwritev2(2) with RWF_DSYNC: what it has written when it returns survives a power cut.
ssize_t cl_write_durably(int descriptor, const void *bytes, size_t count, int64_t offset);
int cl_fallocate(int descriptor, int64_t offset, int64_t length);
// An exclusive flock(2) that does not wait: 0, or -1 with errno EWOULDBLOCK where another process holds it.
int cl_lock_exclusive(int descriptor);
// Names the calling thread, at most 15 bytes, as ps and perf show it.
void cl_thread_name(const char *name);
// Lets others go before the calling thread, 1 to 19, where the processors are busy (setpriority(2)). Cannot be taken back.
void cl_thread_nice(int niceness);
// Has the calling thread run for 0.2 ms at a time where the processors are busy: its share stays the same, but who takes short
// turns gets them sooner, and others need not wait for a long one to end. From Linux 6.12 on; no effect before
// (sched_setattr(2), SCHED_OTHER).
void cl_thread_short_turns(void);
// From how many heaps the process's threads take memory (mallopt(3), M_ARENA_MAX): what is free in one serves no other. Before
// any thread is started.
void cl_heaps(int most);
// Gives memory that was freed back to the system, as far as whole pages of it are (malloc_trim(3)).
void cl_release_memory(void);

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc` (0 to begin).
uint32_t cl_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif
