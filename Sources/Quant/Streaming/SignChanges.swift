internal import Tensors

/// How many elements lost their sign or became zero.
///
/// Looks at bits only: a sign bit, and zero as all other bits clear, are the same in every type.
struct SignChanges: Sendable, Equatable {
    /// Elements whose sign is reversed: both are non-zero, of different sign.
    var flipCount = 0
    /// Non-zero elements that became zero.
    var lostCount = 0

    /// Counts over as many elements as `original` holds.
    init(
        original: RawSpan,
        as dtype: FloatDType,
        decoded: RawSpan,
        as decodedDType: FloatDType
    ) {
        let count = original.byteCount / dtype.byteCount
        precondition(decoded.byteCount >= count * decodedDType.byteCount, "\(count) elements")
        switch (dtype.byteCount, decodedDType.byteCount) {
        case (2, 2): add(original, UInt16.self, decoded, UInt16.self, count)
        case (2, _): add(original, UInt16.self, decoded, UInt32.self, count)
        case (_, 2): add(original, UInt32.self, decoded, UInt16.self, count)
        default: add(original, UInt32.self, decoded, UInt32.self, count)
        }
    }

    private mutating func add<X, Y>(
        _ original: RawSpan,
        _ wordOfOriginal: X.Type,
        _ decoded: RawSpan,
        _ wordOfDecoded: Y.Type,
        _ count: Int
    )
    where
        X: FixedWidthInteger & UnsignedInteger & BitwiseCopyable,
        Y: FixedWidthInteger & UnsignedInteger & BitwiseCopyable
    {
        unsafe original.withUnsafeBytes { original in
            unsafe decoded.withUnsafeBytes { decoded in
                // Counters as wide as the words keep the loop in vector registers.
                for start in stride(from: 0, to: count, by: 1 << 16) {
                    var flips: UInt32 = 0
                    var losses: UInt32 = 0
                    for index in start..<min(count, start + 1 << 16) {
                        let x = unsafe original.loadUnaligned(
                            fromByteOffset: index &* MemoryLayout<X>.size,
                            as: X.self
                        )
                        let y = unsafe decoded.loadUnaligned(
                            fromByteOffset: index &* MemoryLayout<Y>.size,
                            as: Y.self
                        )
                        let isPresent: UInt32 = (x &<< 1) == 0 ? 0 : 1
                        let isLost: UInt32 = (y &<< 1) == 0 ? 1 : 0
                        let signs =
                            UInt32(truncatingIfNeeded: x &>> X(X.bitWidth - 1))
                            ^ UInt32(truncatingIfNeeded: y &>> Y(Y.bitWidth - 1))
                        losses &+= isPresent & isLost
                        flips &+= isPresent & (isLost ^ 1) & signs
                    }
                    flipCount += Int(flips)
                    lostCount += Int(losses)
                }
            }
        }
    }
}

/// How often each code occurs.
enum CodeCount {
    /// Counts the first `count` codes, two in a byte (the high half first) or one.
    static func counts(in codes: RawSpan, count: Int, is4Bit: Bool) -> [Int] {
        var byteCounts = [Int](repeating: 0, count: 256)
        let wholeByteCount = is4Bit ? count / 2 : count
        precondition(codes.byteCount >= (is4Bit ? (count + 1) / 2 : count), "\(count) codes")
        // Four tables, so that equal bytes in a row do not wait for each other.
        unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 1024) { tables in
            unsafe tables.initialize(repeating: 0)
            unsafe codes.withUnsafeBytes { codes in
                var index = 0
                while index &+ 4 <= wholeByteCount {
                    let word = unsafe codes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
                    unsafe tables[Int(word & 255)] &+= 1
                    unsafe tables[Int(256 | word >> 8 & 255)] &+= 1
                    unsafe tables[Int(512 | word >> 16 & 255)] &+= 1
                    unsafe tables[Int(768 | word >> 24)] &+= 1
                    index &+= 4
                }
                while index < wholeByteCount {
                    unsafe tables[Int(codes[index])] &+= 1
                    index &+= 1
                }
            }
            for byte in 0..<256 {
                for table in 0..<4 { byteCounts[byte] += Int(unsafe tables[table * 256 + byte]) }
            }
        }
        guard is4Bit else { return byteCounts }
        var counts = [Int](repeating: 0, count: 16)
        for (byte, byteCount) in byteCounts.enumerated() {
            counts[byte >> 4] += byteCount
            counts[byte & 15] += byteCount
        }
        if count % 2 == 1 { counts[Int(codes.byte(at: count / 2)) >> 4] += 1 }
        return counts
    }
}
