// The peer "plain gRPC": tollgate.v1.Metering Reserve and Commit as one writes them in a day. The synchronous C++
// server of Debian's libgrpc++, a SQLite file per tenant (WAL, synchronous=FULL), a mutex around it, and one
// transaction per call. It remembers ids, keeps a history, and answers what Tollgate answers, so the same load
// generator checks it.

#include <grpcpp/grpcpp.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "tollgate/v1/metering.grpc.pb.h"

namespace {

using google::protobuf::Timestamp;
using grpc::Status;
using grpc::StatusCode;
using Quantities = google::protobuf::Map<std::string, int64_t>;

constexpr int64_t kCreditsAtFirstMicros = 4'000'000'000'000'000'000;
constexpr int64_t kHoldUs = 15LL * 60 * 1'000'000;
constexpr const char* kSchema = R"(
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS account (
        id INTEGER PRIMARY KEY CHECK (id = 1), available INTEGER NOT NULL CHECK (available >= 0),
        held INTEGER NOT NULL, sequence INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS reservations (
        id TEXT PRIMARY KEY, state INTEGER NOT NULL, feature TEXT NOT NULL, actor TEXT NOT NULL, asked INTEGER NOT NULL,
        fingerprint INTEGER NOT NULL, committed INTEGER NOT NULL, commit_id TEXT, commit_fingerprint INTEGER,
        created INTEGER NOT NULL, closed INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS entries (
        sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, reservation TEXT NOT NULL,
        amount INTEGER NOT NULL, available INTEGER NOT NULL);
)";

int64_t nowUs() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

void set(Timestamp* timestamp, int64_t us) {
    timestamp->set_seconds(us / 1'000'000);
    timestamp->set_nanos(static_cast<int32_t>(us % 1'000'000) * 1'000);
}

int64_t quantity(const Quantities& quantities, const char* unit) {
    auto found = quantities.find(unit);
    return found == quantities.end() ? 0 : found->second;
}

// The price of Tollgate's default catalog.
int64_t priceMicros(const Quantities& quantities) {
    return quantity(quantities, "context_tokens") * 1'000 + quantity(quantities, "generated_tokens") * 5'000;
}

// Tells a repeated step from another one that took its id.
int64_t fingerprint(const std::string& name, const Quantities& quantities, int64_t amountMicros) {
    std::string text = name + '\0' + std::to_string(amountMicros);
    for (const char* unit : {"context_tokens", "generated_tokens"})
        text += '\0' + std::to_string(quantity(quantities, unit));
    return static_cast<int64_t>(std::hash<std::string>{}(text));
}

[[noreturn]] void fail(sqlite3* database) {
    throw std::runtime_error(sqlite3_errmsg(database));
}

// A prepared statement: bind, step, read, and it resets itself.
class Statement {
public:
    Statement(sqlite3* database, const char* sql) : database_(database) {
        if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle_, nullptr) != SQLITE_OK)
            fail(database);
    }
    ~Statement() { sqlite3_finalize(handle_); }
    Statement(const Statement&) = delete;

    template <typename... Values>
    bool run(const Values&... values) {
        sqlite3_reset(handle_);
        int index = 0;
        (bind(++index, values), ...);
        switch (sqlite3_step(handle_)) {
            case SQLITE_ROW:
                return true;
            case SQLITE_DONE:
                sqlite3_reset(handle_);
                return false;
            default:
                fail(database_);
        }
    }
    void done() { sqlite3_reset(handle_); }
    int64_t number(int column) { return sqlite3_column_int64(handle_, column); }
    std::string text(int column) {
        auto bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
        return bytes ? bytes : "";
    }

private:
    void bind(int index, int64_t value) { sqlite3_bind_int64(handle_, index, value); }
    void bind(int index, const std::string& value) {
        sqlite3_bind_text(handle_, index, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    }
    sqlite3* database_;
    sqlite3_stmt* handle_ = nullptr;
};

// A transaction that ends with the scope unless it was committed.
class Transaction {
public:
    explicit Transaction(sqlite3* database) : database_(database) { execute("BEGIN IMMEDIATE"); }
    ~Transaction() {
        if (!isOver_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    void commit() {
        execute("COMMIT");
        isOver_ = true;
    }

private:
    void execute(const char* sql) {
        if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database_);
    }
    sqlite3* database_;
    bool isOver_ = false;
};

sqlite3* opened(const std::string& path) {
    sqlite3* database = nullptr;
    if (sqlite3_open(path.c_str(), &database) != SQLITE_OK) fail(database);
    if (sqlite3_exec(database, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database);
    return database;
}

// One tenant's book.
class Book {
public:
    explicit Book(const std::string& path)
        : database_(opened(path)),
          account_(database_, "SELECT available, held, sequence FROM account"),
          setAccount_(database_, "INSERT OR REPLACE INTO account (id, available, held, sequence) VALUES (1, ?, ?, ?)"),
          find_(database_,
                "SELECT state, feature, actor, asked, fingerprint, committed, commit_id, commit_fingerprint, created, "
                "closed"
                " FROM reservations WHERE id = ?"),
          insert_(database_,
                  "INSERT INTO reservations (id, state, feature, actor, asked, fingerprint, committed, created)"
                  " VALUES (?, 1, ?, ?, ?, ?, 0, ?)"),
          close_(database_,
                 "UPDATE reservations SET state = 2, committed = ?, commit_id = ?, commit_fingerprint = ?, closed = ? "
                 "WHERE id = ?"),
          entry_(database_,
                 "INSERT INTO entries (sequence, at, kind, reservation, amount, available) VALUES (?, ?, ?, ?, ?, ?)") {
        if (!account_.run()) setAccount_.run(kCreditsAtFirstMicros, int64_t{0}, int64_t{0});
        account_.done();
    }

    Status reserve(const tollgate::v1::ReserveRequest& request, tollgate::v1::ReserveResponse* response) {
        std::lock_guard lock(mutex_);
        int64_t asked = request.amount_micros() > 0 ? request.amount_micros() : priceMicros(request.quantities());
        int64_t print = fingerprint(request.feature(), request.quantities(), request.amount_micros());
        Transaction transaction(database_);
        readAccount();
        if (find_.run(request.reservation_id())) {
            if (find_.number(4) != print) return refused(StatusCode::ALREADY_EXISTS, "ID_REUSED");
            asked = find_.number(3);
            describe(response->mutable_reservation());
            response->set_replayed(true);
        } else {
            if (asked > available_) return refused(StatusCode::RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS");
            int64_t now = nowUs();
            available_ -= asked;
            held_ += asked;
            insert_.run(request.reservation_id(), request.feature(), request.actor(), asked, print, now);
            write(now, 1, request.reservation_id(), asked);
            transaction.commit();
            auto reservation = response->mutable_reservation();
            reservation->set_state(tollgate::v1::RESERVATION_STATE_OPEN);
            reservation->set_feature(request.feature());
            reservation->set_actor(request.actor());
            reservation->set_held_micros(asked);
            set(reservation->mutable_create_time(), now);
            set(reservation->mutable_expire_time(), now + kHoldUs);
        }
        finish(request.reservation_id(), response);
        response->set_reserved_micros(asked);
        return Status::OK;
    }

    Status commit(const tollgate::v1::CommitRequest& request, tollgate::v1::CommitResponse* response) {
        std::lock_guard lock(mutex_);
        int64_t used = request.amount_micros() > 0 ? request.amount_micros() : priceMicros(request.quantities());
        int64_t print = fingerprint(request.commit_id(), request.quantities(), request.amount_micros());
        Transaction transaction(database_);
        readAccount();
        if (!find_.run(request.reservation_id())) return refused(StatusCode::NOT_FOUND, "RESERVATION_NOT_FOUND");
        if (find_.number(0) != tollgate::v1::RESERVATION_STATE_OPEN) {
            bool isSame = find_.text(6) == request.commit_id() && find_.number(7) == print;
            if (!isSame) return refused(StatusCode::FAILED_PRECONDITION, "RESERVATION_CLOSED");
            used = find_.number(5);
            describe(response->mutable_reservation());
            response->set_replayed(true);
        } else {
            int64_t asked = find_.number(3);
            if (used > asked + available_) return refused(StatusCode::RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS");
            int64_t now = nowUs();
            describe(response->mutable_reservation());
            available_ += asked - used;
            held_ -= asked;
            close_.run(used, request.commit_id(), print, now, request.reservation_id());
            write(now, 2, request.reservation_id(), used);
            transaction.commit();
            auto reservation = response->mutable_reservation();
            reservation->set_state(tollgate::v1::RESERVATION_STATE_COMMITTED);
            reservation->set_held_micros(0);
            reservation->set_committed_micros(used);
            set(reservation->mutable_close_time(), now);
        }
        finish(request.reservation_id(), response);
        response->set_charged_micros(used);
        return Status::OK;
    }

private:
    void readAccount() {
        account_.run();
        available_ = account_.number(0);
        held_ = account_.number(1);
        sequence_ = account_.number(2);
        account_.done();
    }

    // The history's entry and the account as it then is.
    void write(int64_t now, int64_t kind, const std::string& reservation, int64_t amount) {
        sequence_ += 1;
        entry_.run(sequence_, now, kind, reservation, amount, available_);
        setAccount_.run(available_, held_, sequence_);
    }

    // The row that `find_` stands on.
    void describe(tollgate::v1::Reservation* reservation) {
        auto state = static_cast<tollgate::v1::ReservationState>(find_.number(0));
        bool isOpen = state == tollgate::v1::RESERVATION_STATE_OPEN;
        reservation->set_state(state);
        reservation->set_feature(find_.text(1));
        reservation->set_actor(find_.text(2));
        reservation->set_held_micros(isOpen ? find_.number(3) : 0);
        reservation->set_committed_micros(find_.number(5));
        set(reservation->mutable_create_time(), find_.number(8));
        set(reservation->mutable_expire_time(), find_.number(8) + kHoldUs);
        if (!isOpen) set(reservation->mutable_close_time(), find_.number(9));
        find_.done();
    }

    template <typename Response>
    void finish(const std::string& id, Response* response) {
        response->mutable_reservation()->set_reservation_id(id);
        response->mutable_reservation()->set_price_version(1);
        response->mutable_balance()->set_available_micros(available_);
        response->mutable_balance()->set_held_micros(held_);
    }

    Status refused(StatusCode code, const char* reason) {
        find_.done();
        return Status(code, reason);
    }

    std::mutex mutex_;
    sqlite3* database_;
    Statement account_, setAccount_, find_, insert_, close_, entry_;
    int64_t available_ = 0, held_ = 0, sequence_ = 0;
};

class MeteringService final : public tollgate::v1::Metering::Service {
public:
    explicit MeteringService(std::string directory) : directory_(std::move(directory)) {}

    Status Reserve(grpc::ServerContext* context, const tollgate::v1::ReserveRequest* request,
                   tollgate::v1::ReserveResponse* response) override {
        return guarded([&] { return book(*context).reserve(*request, response); });
    }

    Status Commit(grpc::ServerContext* context, const tollgate::v1::CommitRequest* request,
                  tollgate::v1::CommitResponse* response) override {
        return guarded([&] { return book(*context).commit(*request, response); });
    }

private:
    template <typename Work>
    Status guarded(Work work) {
        try {
            return work();
        } catch (const std::exception& error) {
            std::cerr << error.what() << std::endl;
            return Status(StatusCode::UNAVAILABLE, error.what());
        }
    }

    Book& book(const grpc::ServerContext& context) {
        auto found = context.client_metadata().find("tollgate-tenant");
        if (found == context.client_metadata().end()) throw std::runtime_error("tollgate-tenant is missing");
        std::string tenant(found->second.data(), found->second.size());
        if (tenant.empty() || tenant.find('/') != std::string::npos) throw std::runtime_error("no such tenant");
        {
            std::shared_lock lock(mutex_);
            auto book = books_.find(tenant);
            if (book != books_.end()) return *book->second;
        }
        std::unique_lock lock(mutex_);
        auto& book = books_[tenant];
        if (!book) book = std::make_unique<Book>(directory_ + "/" + tenant + ".sqlite");
        return *book;
    }

    std::string directory_;
    std::shared_mutex mutex_;
    std::unordered_map<std::string, std::unique_ptr<Book>> books_;
};

}  // namespace

// Serves the directory until SIGTERM; prints `listening on HOST:PORT` when it is ready.
int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: grpc-sqlite DIRECTORY" << std::endl;
        return 2;
    }
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);

    MeteringService service(arguments[1]);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server) return 1;
    std::cout << "listening on 127.0.0.1:" << port << std::endl;
    int signal = 0;
    sigwait(&signals, &signal);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    // What was answered is on the disk; closing a thousand databases one by one would only take time.
    _exit(0);
}
