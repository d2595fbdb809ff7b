// Buffers whose bytes are float32 numbers in the byte order of the machine.
extension AlignedBuffer {
    /// Calls `body` with the first `count` numbers.
    /// - Precondition: so many fit.
    @inlinable
    package func withFloats<Result: ~Copyable, Failure: Error>(
        _ count: Int,
        _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(0...byteCount / 4 ~= count, "\(count) floats in \(byteCount) bytes")
        return try withBytes { (bytes) throws(Failure) in
            try unsafe bytes.withUnsafeBytes { (buffer) throws(Failure) in
                // The allocation is aligned for every number and holds nothing else.
                let numbers = unsafe buffer.assumingMemoryBound(to: Float.self)
                return try body(unsafe Span(_unsafeElements: numbers).extracting(first: count))
            }
        }
    }

    /// Calls `body` with the first `count` numbers, to change them.
    /// - Precondition: so many fit.
    @inlinable
    package mutating func withMutableFloats<Result: ~Copyable, Failure: Error>(
        _ count: Int,
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(0...byteCount / 4 ~= count, "\(count) floats in \(byteCount) bytes")
        return try withMutablePrefix(4 * count) { (bytes) throws(Failure) in
            try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(Failure) in
                let numbers = unsafe buffer.assumingMemoryBound(to: Float.self)
                var span = unsafe MutableSpan(_unsafeElements: numbers)
                return try body(&span)
            }
        }
    }

    /// Calls `body` with the first `count` bytes.
    /// - Precondition: `0 <= count <= byteCount`.
    @inlinable
    package func withPrefix<Result: ~Copyable, Failure: Error>(
        _ count: Int,
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(0...byteCount ~= count, "\(count) of \(byteCount) bytes")
        return try withBytes { (bytes) throws(Failure) in
            try body(bytes.extracting(first: count))
        }
    }
}

extension Array<Float> {
    /// Calls `body` with the numbers of the array. (`span` would need newer systems than this
    /// package does.)
    @inlinable
    package func withFloatSpan<Result, Failure: Error>(
        _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeBufferPointer { (buffer) throws(Failure) in
            try body(unsafe Span(_unsafeElements: buffer))
        }
    }

    /// Calls `body` with the numbers of the array, to change them.
    @inlinable
    package mutating func withMutableFloatSpan<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            var span = unsafe MutableSpan(_unsafeElements: buffer)
            return try body(&span)
        }
    }

    /// Calls `body` with the bytes of the numbers, in the byte order of the machine.
    @inlinable
    package func withFloatBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeBufferPointer { (buffer) throws(Failure) in
            try body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer)))
        }
    }

    /// Calls `body` with the bytes of the numbers, to change them.
    @inlinable
    package mutating func withMutableFloatBytes<Result, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
            return try body(&span)
        }
    }

    /// The bytes of the numbers as files have them, little-endian.
    package var littleEndianBytes: [UInt8] {
        flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
        }
    }
}
