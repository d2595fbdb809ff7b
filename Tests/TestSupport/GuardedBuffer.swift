#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Memory between two pages that must not be touched, so that one byte too far stops the test.
public final class GuardedBuffer {
    /// Which guard page the buffer touches.
    public enum Side: Sendable, CaseIterable {
        /// The buffer begins right after a guard page.
        case front
        /// The buffer ends right before a guard page.
        case back
    }

    /// The buffer, of exactly the size asked for.
    public let bytes: UnsafeMutableRawBufferPointer

    private let mapping: UnsafeMutableRawPointer
    private let mappingByteCount: Int

    /// Makes a buffer of `byteCount` bytes, all 0xA5, that touches a guard page.
    public init(byteCount: Int, at side: Side = .back) {
        let pageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))
        let innerByteCount = (byteCount + pageByteCount - 1) / pageByteCount * pageByteCount
        mappingByteCount = innerByteCount + 2 * pageByteCount
        let address = mmap(nil, mappingByteCount, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let address, address != MAP_FAILED else { preconditionFailure("mmap: \(errno)") }
        mapping = address
        let inner = address + pageByteCount
        precondition(mprotect(inner, innerByteCount, PROT_READ | PROT_WRITE) == 0)
        let start = side == .front ? inner : inner + innerByteCount - byteCount
        bytes = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
        bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
    }

    /// Makes a buffer with the given content.
    public convenience init(_ content: some Collection<UInt8>, at side: Side = .back) {
        self.init(byteCount: content.count, at: side)
        bytes.copyBytes(from: content)
    }

    deinit { munmap(mapping, mappingByteCount) }

    /// The content.
    public var content: [UInt8] { Array(bytes) }
}
