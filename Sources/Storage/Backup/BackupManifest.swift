import COpenSSL
import Ledger

/// What a backup holds: the file `BACKUP`, written last and in one go. What it does not name does not count.
///
/// Lines of text: `tollgate backup 1`; `moment` and when the backup began; `directory`, the name of its copy and the SHA-256 of
/// that; for each tenant, sorted, `book`, its name, the last entry and its hash, the bytes and the checksum up to which its
/// file counts, the newest refusal's date, the shard's journal position, and when the book was looked at; `end` and the SHA-256
/// of all lines before. Dates are microseconds since 1970 (UTC).
struct BackupManifest: Equatable, Sendable {
    struct Book: Equatable, Sendable {
        var mark: BookMark
        /// The last journal record that the shard held; where it still does, nothing is new.
        var position: UInt64
        /// When it was looked at.
        var moment: Instant
    }

    /// Every step that was acknowledged before is in the backup.
    var moment: Instant
    /// The name of the directory's copy, and its SHA-256 in hexadecimal.
    var directory: String
    var directoryDigest: String
    var books: [TenantID: Book] = [:]

    static let name = "BACKUP"
    private static let firstLine = "tollgate backup 1"
}

extension BackupManifest {
    var text: String {
        var text = """
            \(Self.firstLine)
            moment \(moment.microseconds)
            directory \(directory) \(directoryDigest)

            """
        for (tenant, book) in books.sorted(by: { $0.key < $1.key }) {
            let mark = book.mark
            text +=
                "book \(tenant) \(mark.sequence) \(mark.head.bytes.hexadecimal) \(mark.bytes) \(mark.chain) "
                + "\(mark.refusals.microseconds) \(book.position) \(book.moment.microseconds)\n"
        }
        return text + "end \(SHA256.hexadecimal(Array(text.utf8)))\n"
    }

    /// Reads what `text` wrote; what is not exactly that is an error.
    init(_ bytes: [UInt8], path: String) throws(StorageError) {
        guard bytes.count <= StorageLimits.maxBackupManifestBytes else {
            throw .corrupt(path: path, reason: "it is larger than a manifest may be")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast() == "", let end = lines.popLast(), lines.count >= 3, lines[0] == Self.firstLine else {
            throw .corrupt(path: path, reason: "it is not the whole manifest of a backup that this build knows")
        }
        let covered = bytes.dropLast(end.utf8.count + 1)
        guard end == "end \(SHA256.hexadecimal(Array(covered)))" else {
            throw .corrupt(path: path, reason: "its contents do not go with the SHA-256 at its end")
        }
        let damage = { (line: Substring) in StorageError.corrupt(path: path, reason: "no line of ours: \(line)") }
        let directory = lines[2].split(separator: " ")
        guard let moment = Self.number(lines[1], after: "moment "), directory.count == 3, directory[0] == "directory",
            !directory[1].contains("/")
        else { throw damage(lines[1]) }
        self.init(
            moment: Instant(microseconds: moment), directory: String(directory[1]),
            directoryDigest: String(directory[2]))
        for line in lines[3...] {
            guard let (tenant, book) = Self.book(line) else { throw damage(line) }
            books[tenant] = book
        }
    }

    private static func number(_ line: Substring, after word: String) -> Int64? {
        line.hasPrefix(word) ? Int64(line.dropFirst(word.count)) : nil
    }

    private static func book(_ line: Substring) -> (TenantID, Book)? {
        let words = line.split(separator: " ")
        guard words.count == 9, words[0] == "book", let tenant = TenantID(words[1]), let sequence = UInt64(words[2]),
            let digits = [UInt8](hexadecimal: words[3]), let head = digits.readable({ ChainHash($0) }),
            let bytes = Int64(words[4]), let chain = UInt32(words[5]), let refusals = Int64(words[6]),
            let position = UInt64(words[7]), let moment = Int64(words[8])
        else { return nil }
        let mark = BookMark(
            sequence: sequence, head: head, bytes: bytes, chain: chain, refusals: Instant(microseconds: refusals))
        return (tenant, Book(mark: mark, position: position, moment: Instant(microseconds: moment)))
    }
}

/// SHA-256 of whole files.
enum SHA256 {
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        bytes.readable { bytes in
            var state = SHA256_CTX()
            SHA256_Init(&state)
            SHA256_Update(&state, bytes.baseAddress, bytes.count)
            SHA256_Final(&digest, &state)
        }
        return digest.hexadecimal
    }
}

extension [UInt8] {
    var hexadecimal: String {
        let digits = Array<Character>("0123456789abcdef")
        return String(flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// Nil where the text is not pairs of hexadecimal digits.
    init?(hexadecimal text: some StringProtocol) {
        let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
    }
}
