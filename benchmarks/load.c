/* The load generator: N connections, each with P requests under way, over random keys; the same code for both protocols.
 *
 *   load PROTOCOL PORT OPERATION CONNECTIONS PIPELINE KEYS SECONDS RATE
 *
 * PROTOCOL is native, session (native with the meta that kv's own client sends) or resp. OPERATION is get, set or incr.
 * SECONDS 0 goes once through all keys in their order, which fills a store. RATE 0 sends as fast as answers come.
 * When connected it prints "ready", waits for a line on its input, runs, and prints {"operations", "seconds", "absent"}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { VALUE = 100, INPUT = 1 << 16, OUTPUT = 1 << 16, REQUEST = 256, DEADLINE_MS = 3600000, SEEN_EVERY = 64 };

struct template {
    unsigned char bytes[REQUEST];
    int length, id, digits, seq, seen; /* where the parts that change are; -1 where there is none */
};

struct connection {
    int socket, pending, held;
    uint32_t id, seq;
    struct template plain, seeing;
    unsigned char input[INPUT];
};

static int native, session, sequential;
static unsigned pipeline, keys;
static uint64_t operations, absent, next_key, dice = 88172645463325252ULL;

static void die(const char *format, ...) {
    va_list words;
    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
    exit(1);
}

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec + moment.tv_nsec * 1e-9;
}

static unsigned pick_key(void) {
    if (sequential) return next_key++ % keys;
    dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
    return (dice >> 11) % keys;
}

static uint32_t read32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void write32(unsigned char *at, uint32_t number) {
    at[0] = number >> 24, at[1] = number >> 16, at[2] = number >> 8, at[3] = number;
}

/* ---- requests */

static void add(struct template *request, const void *bytes, int count) {
    memcpy(request->bytes + request->length, bytes, count);
    request->length += count;
}

static void add_number(struct template *request, int *place, int head) { /* head: what stands before four bytes */
    unsigned char bytes[5] = {head};
    *place = request->length + 1;
    add(request, bytes, 5);
}

static void add_value(struct template *request) {
    unsigned char text[VALUE];
    for (int i = 0; i < VALUE; i++) text[i] = 'A' + (i * 7 + i / 3) % 50;
    add(request, text, VALUE);
}

static void add_key(struct template *request, const char *prefix) {
    add(request, prefix, strlen(prefix));
    request->digits = request->length;
    add(request, "000000000000", 12);
}

static void add_meta(struct template *request, int writes, int seeing, uint64_t deadline_ms) {
    unsigned char head[] = {0xc0, 0x81 + writes + seeing, 1, 0xcf};
    unsigned char moment[8];
    add(request, head, sizeof head);
    write32(moment, deadline_ms >> 32), write32(moment + 4, deadline_ms);
    add(request, moment, 8);
    if (writes) add(request, "\2", 1), add_number(request, &request->seq, 0xce);
    if (seeing) add(request, "\3", 1), add_number(request, &request->seen, 0xce);
}

static struct template make_native(const char *operation, int seeing, uint64_t deadline_ms) {
    struct template request = {.length = 4, .seq = -1, .seen = -1};
    int sets = !strcmp(operation, "set"), writes = strcmp(operation, "get") != 0;
    const char *prefix = !strcmp(operation, "incr") ? "counter:" : "key:";
    unsigned char array = session ? 0x95 : 0x93, arguments[] = {0x91 + sets, 0xa0 + strlen(prefix) + 12};
    add(&request, &array, 1);
    add_number(&request, &request.id, 0xce);
    add(&request, sets ? "\xa3SET" : writes ? "\xa4INCR" : "\xa3GET", writes && !sets ? 5 : 4);
    add(&request, arguments, 2);
    add_key(&request, prefix);
    if (sets) {
        unsigned char heads[] = {0xc4, VALUE + 2, 0xd9, VALUE};
        add(&request, heads, 4);
        add_value(&request);
    }
    if (session) add_meta(&request, writes, writes && seeing, deadline_ms);
    write32(request.bytes, request.length - 4);
    return request;
}

static struct template make_resp(const char *operation) {
    struct template request = {.id = -1, .seq = -1, .seen = -1};
    int sets = !strcmp(operation, "set"), counts = !strcmp(operation, "incr");
    const char *head = sets ? "*3\r\n$3\r\nSET\r\n$16\r\n" : counts ? "*2\r\n$4\r\nINCR\r\n$20\r\n" : "*2\r\n$3\r\nGET\r\n$16\r\n";
    add(&request, head, strlen(head));
    add_key(&request, counts ? "counter:" : "key:");
    if (sets) add(&request, "\r\n$100\r\n", 8), add_value(&request);
    add(&request, "\r\n", 2);
    return request;
}

static void send_batch(struct connection *peer) {
    static unsigned char output[OUTPUT];
    unsigned char *at = output;
    uint32_t seen = peer->seq;
    for (unsigned i = 0; i < pipeline; i++, peer->seq++) {
        const struct template *request = peer->seq % SEEN_EVERY ? &peer->plain : &peer->seeing;
        memcpy(at, request->bytes, request->length);
        unsigned key = pick_key();
        for (int digit = 11; key; digit--, key /= 10) at[request->digits + digit] = '0' + key % 10;
        if (request->id >= 0) write32(at + request->id, ++peer->id);
        if (request->seq >= 0) write32(at + request->seq, peer->seq);
        if (request->seen >= 0) write32(at + request->seen, seen);
        at += request->length;
    }
    for (unsigned char *from = output; from < at;) {
        ssize_t sent = send(peer->socket, from, at - from, MSG_NOSIGNAL);
        if (sent <= 0) die("the server closed a connection");
        from += sent;
    }
    peer->pending = pipeline;
}

/* ---- replies */

static int native_reply(const unsigned char *at, int left) { /* the length of a complete reply, else 0 */
    if (left < 4 || left < 4 + (int)read32(at)) return 0;
    int length = 4 + read32(at);
    if (length < 12 || at[4] != 0x93 || at[5] != 0xce || at[10] != 0) die("an error: %.*s", length - 12, at + 12);
    absent += at[11] == 0xc0;
    return length;
}

static int resp_reply(const unsigned char *at, int left) {
    const unsigned char *end = memchr(at, '\n', left);
    if (!end) return 0;
    int length = end + 1 - at;
    if (*at == '-') die("an error: %.*s", length, at);
    if (*at != '$') return length;
    int size = atoi((const char *)at + 1);
    if (size < 0) return absent++, length;
    return left < length + size + 2 ? 0 : length + size + 2;
}

static int receive(struct connection *peer) { /* 1 when the whole batch was answered */
    ssize_t got = recv(peer->socket, peer->input + peer->held, INPUT - peer->held, MSG_DONTWAIT);
    if (got <= 0) die("the server closed a connection");
    int at = 0, end = peer->held + got, length;
    while (at < end && (length = native ? native_reply(peer->input + at, end - at) : resp_reply(peer->input + at, end - at))) {
        at += length;
        peer->pending--;
        operations++;
    }
    memmove(peer->input, peer->input + at, peer->held = end - at);
    return peer->pending == 0;
}

/* ---- connections */

static uint64_t greet(int socket) { /* HELLO; returns the server's clock */
    static const char hello[] = "\0\0\0\x1c\x94\1\xa5HELLO\x91\1\x81\xa6" "client\xa9" "benchmark";
    unsigned char reply[4096], *found;
    int held = 0;
    if (send(socket, hello, sizeof hello - 1, 0) != sizeof hello - 1) die("cannot greet the server");
    while (held < 4 || held < 4 + (int)read32(reply)) {
        ssize_t got = recv(socket, reply + held, sizeof reply - held, 0);
        if (got <= 0) die("the server did not greet");
        held += got;
    }
    if (reply[10] != 0 || !(found = memmem(reply, held, "\xa8" "clock_ms", 9))) die("HELLO failed: %.*s", held, reply);
    found += 9;
    int bytes = *found >= 0xcc && *found <= 0xcf ? 1 << (*found - 0xcc) : 0;
    uint64_t clock_ms = bytes ? 0 : *found;
    for (int i = 1; i <= bytes; i++) clock_ms = clock_ms << 8 | found[i];
    return clock_ms;
}

static void open_connection(struct connection *peer, int port, const char *operation) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    peer->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(peer->socket, (struct sockaddr *)&address, sizeof address)) die("cannot connect to port %d", port);
    setsockopt(peer->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    peer->seq = 1;
    if (native) {
        uint64_t deadline_ms = greet(peer->socket) + DEADLINE_MS;
        peer->plain = make_native(operation, 0, deadline_ms);
        peer->seeing = make_native(operation, 1, deadline_ms);
        peer->id = 1;
    } else {
        peer->plain = peer->seeing = make_resp(operation);
    }
}

int main(int count, char **words) {
    if (count != 9) die("usage: load PROTOCOL PORT OPERATION CONNECTIONS PIPELINE KEYS SECONDS RATE");
    session = !strcmp(words[1], "session");
    native = session || !strcmp(words[1], "native");
    int connections = atoi(words[4]);
    pipeline = atoi(words[5]), keys = atoi(words[6]);
    double seconds = atof(words[7]), rate = atof(words[8]);
    sequential = seconds == 0;
    if (connections < 1 || pipeline < 1 || pipeline * REQUEST > OUTPUT) die("connections or pipeline out of range");

    struct connection *peers = calloc(connections, sizeof *peers), **idle = calloc(connections, sizeof *idle);
    struct epoll_event *events = calloc(connections, sizeof *events);
    int poll = epoll_create1(0), resting = connections;
    for (int i = 0; i < connections; i++) {
        open_connection(&peers[i], atoi(words[2]), words[3]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = idle[i] = &peers[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, peers[i].socket, &event);
    }
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;

    double begin = now(), time = begin, next = begin;
    for (;;) {
        int more = sequential ? next_key < keys : time < begin + seconds;
        if (!more && resting == connections) break;
        while (more && resting && time >= next) {
            send_batch(idle[--resting]);
            if (rate > 0) next += pipeline / rate;
            if (sequential && next_key >= keys) break;
        }
        int ready = epoll_wait(poll, events, connections, rate > 0 ? 1 : 1000);
        for (int i = 0; i < ready; i++)
            if (receive(events[i].data.ptr)) idle[resting++] = events[i].data.ptr;
        time = now();
    }
    printf("{\"operations\": %llu, \"seconds\": %.6f, \"absent\": %llu}\n", (unsigned long long)operations, now() - begin,
           (unsigned long long)absent);
    return 0;
}
