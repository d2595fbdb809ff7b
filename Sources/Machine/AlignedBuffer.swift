#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Bytes of its own at an address that is a multiple of 64, counted against a budget.
///
/// A Swift array ends the process when the system refuses it memory; this throws instead. It has
/// one owner, so whoever writes has it alone, and it can be handed to another thread.
///
/// `@safe`: the address dies with it, and never leaves it except as a span inside a closure, or to whoever
/// says `unsafe`.
/// `@unchecked Sendable`: a noncopyable value that owns what it points to; the language's
/// exclusivity rules are all that is needed.
@safe
public struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    /// The alignment of the first byte: a cache line, and the widest vector.
    public static let alignment = 64

    /// From this size on memory comes in the large pages of the processor.
    private static let largeByteCount = 8 << 20
    private static let hugePageByteCount = 2 << 20

    @usableFromInline let base: UnsafeMutableRawPointer
    /// The number of bytes.
    public let byteCount: Int
    private let budget: MemoryBudget?
    /// What owns the bytes, if it is not this buffer.
    private let slab: MemoryArena.Slab?

    /// Takes zeroed bytes of an arena.
    /// - Parameters:
    ///   - byteCount: 0 or more.
    ///   - arena: where they are.
    /// - Throws: `AllocationError` if the arena cannot grow.
    public init(byteCount: Int, in arena: MemoryArena) throws(AllocationError) {
        precondition(byteCount >= 0, "a buffer of \(byteCount) bytes")
        let (slab, offset) = try arena.take(byteCount)
        // The bytes were zeroed with the slab, and nobody else has them.
        unsafe base = slab.buffer.base + offset
        self.byteCount = byteCount
        budget = nil
        self.slab = slab
    }

    /// Allocates zeroed bytes.
    /// - Parameters:
    ///   - byteCount: 0 or more; it need not be trusted otherwise.
    ///   - budget: what to count them against; `nil` for small, constant buffers.
    /// - Throws: `AllocationError` if the budget or the system has not that much.
    /// - Precondition: `byteCount >= 0`.
    public init(byteCount: Int, budget: MemoryBudget? = nil) throws(AllocationError) {
        precondition(byteCount >= 0, "a buffer of \(byteCount) bytes")
        // More than any address space; allocators of sanitizers end the process on such a number.
        guard byteCount <= 1 << 46 else { throw .refused(requestedByteCount: byteCount) }
        try budget?.reserve(byteCount)
        var pointer: UnsafeMutableRawPointer?
        let isLarge = byteCount >= Self.largeByteCount
        let alignment = isLarge ? Self.hugePageByteCount : Self.alignment
        let status = unsafe posix_memalign(&pointer, alignment, max(byteCount, 1))
        guard status == 0, let allocated = unsafe pointer else {
            budget?.release(byteCount)
            throw .refused(requestedByteCount: byteCount)
        }
        #if os(Linux)
        // Reading through 4 KiB pages costs a quarter of the memory's bandwidth. A system that has no
        // large pages to give says so, and nothing is lost.
        if isLarge { _ = unsafe madvise(allocated, byteCount, MADV_HUGEPAGE) }
        #endif
        // Never hand out what an earlier owner left: it could end up in a file.
        unsafe allocated.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        unsafe base = allocated
        self.byteCount = byteCount
        self.budget = budget
        slab = nil
    }

    deinit {
        if slab == nil { unsafe free(base) }
        budget?.release(byteCount)
    }

    /// Where the bytes are, while the buffer lives.
    @unsafe package var address: UnsafeRawPointer { unsafe UnsafeRawPointer(base) }

    /// Calls `body` with the bytes.
    @inlinable
    public func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = unsafe UnsafeRawBufferPointer(start: base, count: byteCount)
        let span = unsafe RawSpan(_unsafeBytes: bytes)
        return try body(span)
    }

    /// Calls `body` with the bytes, to change them.
    @inlinable
    public mutating func withMutableBytes<Result: ~Copyable, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount)
        var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
        return try body(&span)
    }

    /// Calls `body` with the first `count` bytes, to change them.
    /// - Precondition: `0 <= count <= byteCount`.
    @inlinable
    public mutating func withMutablePrefix<Result: ~Copyable, Failure: Error>(
        _ count: Int,
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(0...byteCount ~= count, "\(count) of \(byteCount) bytes")
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
        var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
        return try body(&span)
    }
}
