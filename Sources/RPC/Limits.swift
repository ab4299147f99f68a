/// Bounds of this module, in one place. Each is a default where a configuration may say otherwise.
package enum Limits {
    /// The largest message taken or sent, in bytes, without its 5-byte prefix.
    package static let messageBytes = 4 << 20
    /// The longest `grpc-message` sent, in bytes before percent-encoding; nghttp2 refuses header blocks over 64 KiB.
    package static let statusMessageBytes = 4 << 10
    /// The longest `grpc-status-details-bin` sent, in bytes before base64; a longer one is left out.
    package static let statusDetailsBytes = 16 << 10
    /// The most entries that one `Metadata` holds.
    package static let metadataEntries = 256
    /// The most bytes of metadata, counted as name + value + 32, that are sent with one call.
    package static let metadataBytes = 32 << 10
}
