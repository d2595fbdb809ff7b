public import Machine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension CheckpointError {
    /// Returns the error of a failed system call: the error number that it left, and what was
    /// being done, for example `"write"`.
    static func systemCall(_ number: Int32, _ action: String, file: String) -> CheckpointError {
        let hint: String? =
            switch number {
            case ENOSPC, EDQUOT: "free some space on the file system of the output"
            case EFBIG: "raise the limit on file sizes (ulimit -f) or use smaller shards"
            case EROFS: "the file system is mounted read-only"
            default: nil
            }
        return CheckpointError(
            .fileIo,
            "cannot \(action): \(systemMessage(number))",
            file: file,
            hint: hint,
            systemError: number
        )
    }

    /// Makes the error for memory that was refused.
    public init(_ refusal: AllocationError) {
        self.init(
            .limitMemory,
            refusal.description,
            hint: "give more with `budget`, or use fewer threads"
        )
    }
}

extension AlignedBuffer {
    /// Allocates a buffer, with the error of this module if there is no memory.
    /// - Throws: `limit.memory`.
    package static func allocate(
        byteCount: Int,
        budget: MemoryBudget? = nil,
        in arena: MemoryArena? = nil
    ) throws(CheckpointError) -> AlignedBuffer {
        do {
            if let arena { return try AlignedBuffer(byteCount: byteCount, in: arena) }
            return try AlignedBuffer(byteCount: byteCount, budget: budget)
        } catch {
            throw CheckpointError(error)
        }
    }
}
