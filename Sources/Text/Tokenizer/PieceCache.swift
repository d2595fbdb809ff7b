/// Tokens of short pieces seen before in a text: most words occur again.
///
/// A piece of up to 15 bytes is its own key, so that nothing is ever mistaken; a place holds the last
/// piece that fell on it.
struct PieceCache {
    private struct Entry {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var start: Int32 = 0
        var count: Int32 = 0
    }

    private var entries: [Entry] = []
    private var tokens: [Int32] = []
    private static let size = 1 << 14
    /// Beyond so many tokens nothing more is kept.
    private static let tokenLimit = 1 << 20

    /// Appends the tokens of a piece, which `encode` makes if they are not known.
    mutating func append(
        _ piece: ArraySlice<UInt8>,
        to result: inout [Int32],
        _ encode: (ArraySlice<UInt8>, inout [Int32]) -> Void
    ) {
        guard piece.count < 16 else { return encode(piece, &result) }
        if entries.isEmpty { entries = Array(repeating: Entry(), count: Self.size) }
        var (low, high) = (UInt64(0), UInt64(piece.count) << 56)
        var shift: UInt64 = 0
        for byte in piece {
            if shift < 64 {
                low |= UInt64(byte) << shift
            } else {
                high |= UInt64(byte) << (shift - 64)
            }
            shift += 8
        }
        let hash = (low ^ high &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
        let place = Int(truncatingIfNeeded: hash >> 40) & (Self.size - 1)
        let entry = entries[place]
        if entry.low == low, entry.high == high {
            result += tokens[Int(entry.start)..<Int(entry.start + entry.count)]
            return
        }
        let start = result.count
        encode(piece, &result)
        guard tokens.count < Self.tokenLimit else { return }
        entries[place] = Entry(
            low: low,
            high: high,
            start: Int32(tokens.count),
            count: Int32(result.count - start)
        )
        tokens += result[start...]
    }
}
