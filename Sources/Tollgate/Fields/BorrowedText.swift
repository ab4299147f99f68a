import Glibc

/// A text of a request where it lies in the request's bytes. It was checked to be UTF-8, and is valid only while the
/// request is read.
package struct BorrowedText {
    let bytes: UnsafeRawBufferPointer

    /// The empty text.
    init() { bytes = UnsafeRawBufferPointer(start: nil, count: 0) }

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { bytes.count == 0 }

    package var string: String { isEmpty ? "" : String(decoding: bytes, as: UTF8.self) }

    func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        bytes.count == other.count && (isEmpty || memcmp(bytes.baseAddress!, other.baseAddress!, bytes.count) == 0)
    }
}
