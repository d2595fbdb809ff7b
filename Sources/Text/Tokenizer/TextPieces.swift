/// A text that is being cut into pieces: its bytes, which are UTF-8, and where the pieces lie in them.
struct TextPieces {
    var bytes: [UInt8]
    var ranges: [Range<Int>]

    /// One piece, or none of nothing.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        ranges = bytes.isEmpty ? [] : [0..<bytes.count]
    }

    /// Replaces each piece by another text; empty ones vanish.
    mutating func rewrite(_ body: (ArraySlice<UInt8>, inout [UInt8]) -> Void) {
        var rewritten: [UInt8] = []
        rewritten.reserveCapacity(bytes.count + bytes.count / 8)
        var places: [Range<Int>] = []
        places.reserveCapacity(ranges.count)
        for range in ranges {
            let start = rewritten.count
            body(bytes[range], &rewritten)
            if start < rewritten.count { places.append(start..<rewritten.count) }
        }
        (bytes, ranges) = (rewritten, places)
    }
}
