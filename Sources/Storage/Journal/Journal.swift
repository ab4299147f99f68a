/// Where a step becomes irrevocable. Behind this protocol there is one implementation on the local disk; a replicated one
/// can follow, so nothing above it may know where the bytes went.
package protocol Journal: AnyObject, Sendable {
    /// Position of the last durable record; records are numbered from 1 without a gap.
    var durablePosition: UInt64 { get }
    /// Position of the oldest record that is still there, or of the next one where there is none.
    var firstPosition: UInt64 { get }
    /// Bytes that the records take up, as far as `trim` can free them.
    var byteCount: Int64 { get }

    /// Appends the batch and makes it durable. Blocks; one caller at a time.
    ///
    /// On an error the batch is not part of the journal and the next append uses the same positions again. The next append,
    /// which may be an empty batch, then first begins a new segment; as long as that fails it throws. Only where the disk takes
    /// no write at all any more and the process ends before it does, the batch may still be found, whole, by the next one.
    func append(_ batch: borrowing JournalBatch) throws(StorageError)

    /// Hands over the durable records after `position`, in order. The bytes are valid during the call.
    func replay(
        after position: UInt64,
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError)

    /// Forgets records up to and including `position`, as far as whole segments go. May be called while another thread appends.
    func trim(through position: UInt64) throws(StorageError)

    func close()
}
