// The load generator for the peer "Redis": each lane reserves and then commits, over and over, and every answer is
// checked. One thread, sockets of its own; hiredis reads the answers. Prints what `tollgate bench load --json` prints.

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int64_t kCreditsMicros = 4'000'000'000'000'000;
constexpr size_t kReadBytes = 1 << 16;

int64_t nowNs(clockid_t clock = CLOCK_MONOTONIC) {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

// Counts by latency, at most 1/64 off, in bounded memory.
class Histogram {
public:
    void add(int64_t ns) {
        counts_[index(static_cast<uint64_t>(ns))] += 1;
        total_ += 1;
        max_ = std::max(max_, ns);
    }
    double us(double share) const {
        auto rank = static_cast<int64_t>(share * static_cast<double>(total_));
        for (size_t at = 0; at < counts_.size(); ++at) {
            rank -= counts_[at];
            if (rank < 0) return value(at) / 1'000.0;
        }
        return maxUs();
    }
    double maxUs() const { return static_cast<double>(max_) / 1'000.0; }

private:
    static size_t index(uint64_t ns) {
        if (ns < 64) return ns;
        int shift = 63 - std::countl_zero(ns) - 6;
        return static_cast<size_t>(shift + 1) * 64 + ((ns >> shift) - 64);
    }
    static double value(size_t index) {
        if (index < 64) return static_cast<double>(index);
        return (static_cast<double>(index % 64) + 64.5) * static_cast<double>(1ULL << (index / 64 - 1));
    }
    std::array<int64_t, 64 * 59> counts_{};
    int64_t total_ = 0, max_ = 0;
};

struct Options {
    std::string socket, scripts;
    int connections = 0, inFlight = 0, tenants = 0;
    double seconds = 0;
};

// A caller: its next step, and what the answer to the last one must be.
struct Lane {
    int tenant = 0;
    bool isOpen = false;
    char id[37]{}, commitId[37]{};
    int64_t context = 0, generated = 0, amount = 0, sentNs = 0;
};

struct Connection {
    int socket = -1;
    redisReader* reader = nullptr;
    std::string output;
    size_t written = 0;
    bool waitsToWrite = false;
    std::deque<Lane*> waiting;
};

int connectTo(const std::string& path) {
    int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("cannot connect to " + path + ": " + strerror(errno));
    }
    return socket;
}

std::string contents(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Puts the scripts and the accounts in place and answers the scripts' hashes.
std::array<std::string, 2> prepare(const Options& options) {
    redisContext* redis = redisConnectUnix(options.socket.c_str());
    if (!redis || redis->err) throw std::runtime_error("cannot connect to " + options.socket);
    auto answer = [redis](redisReply* reply) {
        if (!reply || reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply ? reply->str : redis->errstr);
        std::string text = reply->str ? reply->str : "";
        freeReplyObject(reply);
        return text;
    };
    auto command = [&](auto... arguments) {
        return answer(static_cast<redisReply*>(redisCommand(redis, arguments...)));
    };
    std::array<std::string, 2> hashes;
    int at = 0;
    for (const char* name : {"reserve.lua", "commit.lua"}) {
        std::string script = contents(options.scripts + "/" + name);
        hashes[at++] = command("SCRIPT LOAD %b", script.data(), script.size());
    }
    for (int tenant = 0; tenant < options.tenants; ++tenant) {
        command("HSETNX a:%d available %lld", tenant, static_cast<long long>(kCreditsMicros));
        command("HSETNX a:%d held 0", tenant);
    }
    redisFree(redis);
    return hashes;
}

class Load {
public:
    Load(const Options& options, std::array<std::string, 2> hashes) : options_(options), hashes_(std::move(hashes)) {
        poll_ = epoll_create1(0);
        lanes_.resize(static_cast<size_t>(options.connections) * options.inFlight);
        connections_.resize(options.connections);
        for (auto& connection : connections_) {
            connection.socket = connectTo(options.socket);
            fcntl(connection.socket, F_SETFL, fcntl(connection.socket, F_GETFL) | O_NONBLOCK);
            connection.reader = redisReaderCreate();
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.ptr = &connection;
            epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event);
        }
    }

    void run() {
        int64_t begin = nowNs();
        beginCpuUs_ = cpuUs();
        end_ = begin + static_cast<int64_t>(options_.seconds * 1e9);
        size_t at = 0;
        for (auto& lane : lanes_) send(connections_[at++ % connections_.size()], lane);
        for (auto& connection : connections_) flush(connection);
        std::array<epoll_event, 64> events;
        while (inFlight_ > 0) {
            int count = epoll_wait(poll_, events.data(), events.size(), 10'000);
            if (count == 0) throw std::runtime_error("no answer for 10 s");
            for (int index = 0; index < count; ++index) {
                auto& connection = *static_cast<Connection*>(events[index].data.ptr);
                if (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(connection);
                flush(connection);
            }
        }
        print(static_cast<double>(nowNs() - begin) / 1e9);
    }

    int64_t errors() const { return errors_; }

private:
    void send(Connection& connection, Lane& lane) {
        if (lane.isOpen) {
            makeId(lane.commitId);
            lane.generated -= 50;
        } else {
            makeId(lane.id);
            lane.tenant = static_cast<int>(turn_++ % options_.tenants);
            lane.context = 100 + static_cast<int64_t>(random_() % 3'900);
            lane.generated = 60 + static_cast<int64_t>(random_() % 400);
        }
        lane.amount = lane.context * 1'000 + lane.generated * 5'000;
        char keys[3][64];
        snprintf(keys[0], sizeof keys[0], "a:%d", lane.tenant);
        snprintf(keys[1], sizeof keys[1], "r:%d:%s", lane.tenant, lane.id);
        snprintf(keys[2], sizeof keys[2], "e:%d", lane.tenant);
        char numbers[2][24];
        snprintf(numbers[0], sizeof numbers[0], "%lld", static_cast<long long>(lane.context));
        snprintf(numbers[1], sizeof numbers[1], "%lld", static_cast<long long>(lane.generated));
        auto& output = connection.output;
        output += "*10\r\n";
        const char* parts[] = {"EVALSHA", hashes_[lane.isOpen].c_str(),         "3",        keys[0],   keys[1], keys[2],
                               lane.id,   lane.isOpen ? lane.commitId : "chat", numbers[0], numbers[1]};
        for (const char* part : parts) {
            size_t length = strlen(part);
            char head[16];
            output.append(head, snprintf(head, sizeof head, "$%zu\r\n", length));
            output.append(part, length);
            output += "\r\n";
        }
        lane.sentNs = nowNs();
        connection.waiting.push_back(&lane);
        inFlight_ += 1;
    }

    void flush(Connection& connection) {
        while (connection.written < connection.output.size()) {
            ssize_t sent = write(connection.socket, connection.output.data() + connection.written,
                                 connection.output.size() - connection.written);
            if (sent < 0 && errno != EAGAIN) throw std::runtime_error(strerror(errno));
            if (sent < 0) return watch(connection, true);
            connection.written += sent;
        }
        connection.output.clear();
        connection.written = 0;
        if (connection.waitsToWrite) watch(connection, false);
    }

    void watch(Connection& connection, bool waitsToWrite) {
        connection.waitsToWrite = waitsToWrite;
        epoll_event event{};
        event.events = EPOLLIN | (waitsToWrite ? EPOLLOUT : 0u);
        event.data.ptr = &connection;
        epoll_ctl(poll_, EPOLL_CTL_MOD, connection.socket, &event);
    }

    void receive(Connection& connection) {
        static std::array<char, kReadBytes> buffer;
        ssize_t count = read(connection.socket, buffer.data(), buffer.size());
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) throw std::runtime_error("the server closed a connection");
        redisReaderFeed(connection.reader, buffer.data(), count);
        int64_t now = nowNs();
        void* reply = nullptr;
        while (redisReaderGetReply(connection.reader, &reply) == REDIS_OK && reply) {
            Lane& lane = *connection.waiting.front();
            connection.waiting.pop_front();
            inFlight_ -= 1;
            histogram_.add(now - lane.sentNs);
            check(lane, static_cast<redisReply*>(reply));
            freeReplyObject(reply);
            lane.isOpen = !lane.isOpen;
            // A pair that has begun is finished, so that every hold is closed.
            if (now < end_ || lane.isOpen) send(connection, lane);
        }
    }

    void check(const Lane& lane, const redisReply* reply) {
        steps_ += 1;
        if (reply->type == REDIS_REPLY_ERROR) return fail(reply->str);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4) return fail("not four numbers");
        if (reply->element[0]->integer != (lane.isOpen ? 2 : 1)) return fail("wrong state");
        if (reply->element[1]->integer != lane.amount) return fail("wrong amount");
        if (reply->element[3]->integer != 0) return fail("replayed");
    }

    void fail(const std::string& why) {
        if (errors_++ == 0) firstError_ = why;
    }

    // UUID version 7: the time, then chance.
    void makeId(char* text) {
        uint64_t ms = static_cast<uint64_t>(nowNs(CLOCK_REALTIME) / 1'000'000), high = random_(), low = random_();
        snprintf(text, 37, "%08x-%04x-7%03x-%04x-%012llx", static_cast<unsigned>(ms >> 16),
                 static_cast<unsigned>(ms & 0xffff), static_cast<unsigned>(high & 0xfff),
                 static_cast<unsigned>(0x8000 | (high >> 12 & 0x3fff)),
                 static_cast<unsigned long long>(low & 0xffffffffffff));
    }

    static double cpuUs() { return static_cast<double>(nowNs(CLOCK_PROCESS_CPUTIME_ID)) / 1e3; }

    void print(double seconds) const {
        printf(
            "{\"work\": \"steps\", \"connections\": %d, \"in_flight\": %d, \"tenants\": %d, \"seconds\": %.3f, "
            "\"steps\": %lld,"
            " \"calls\": %lld, \"steps_per_second\": %.1f, \"errors\": %lld, \"first_error\": \"%s\", \"latency_us\": "
            "{\"p50\": %.1f,"
            " \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}, \"client_cpu_us_per_step\": %.3f}\n",
            options_.connections, options_.inFlight, options_.tenants, seconds, static_cast<long long>(steps_),
            static_cast<long long>(steps_), static_cast<double>(steps_) / seconds, static_cast<long long>(errors_),
            firstError_.c_str(), histogram_.us(0.5), histogram_.us(0.9), histogram_.us(0.99), histogram_.us(0.999),
            histogram_.maxUs(), (cpuUs() - beginCpuUs_) / static_cast<double>(std::max<int64_t>(steps_, 1)));
    }

    Options options_;
    std::array<std::string, 2> hashes_;
    int poll_ = -1;
    std::vector<Connection> connections_;
    std::vector<Lane> lanes_;
    std::mt19937_64 random_{std::random_device{}()};
    Histogram histogram_;
    int64_t end_ = 0, turn_ = 0, inFlight_ = 0, steps_ = 0, errors_ = 0;
    double beginCpuUs_ = 0;
    std::string firstError_;
};

}  // namespace

int main(int count, char** arguments) try {
    if (count != 7) {
        std::cerr << "usage: redis-load SOCKET SCRIPTS CONNECTIONS IN_FLIGHT TENANTS SECONDS" << std::endl;
        return 2;
    }
    Options options{
        arguments[1],           arguments[2], std::stoi(arguments[3]), std::stoi(arguments[4]), std::stoi(arguments[5]),
        std::stod(arguments[6])};
    Load load(options, prepare(options));
    load.run();
    return load.errors() == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << "redis-load: " << error.what() << std::endl;
    return 1;
}
