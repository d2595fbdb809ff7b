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
