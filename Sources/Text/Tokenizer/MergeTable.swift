/// The pairs of tokens that become one, with their ranks: an open hash table of 64-bit keys.
struct MergeTable: Sendable {
    /// What a pair becomes.
    struct Merge: Sendable {
        /// Pairs of lower rank merge first.
        let rank: UInt32
        let token: Int32
    }

    private var keys: [UInt64]
    private var merges: [Merge]
    private let mask: Int
    private static let free = UInt64.max

    /// Makes room for so many pairs.
    init(count: Int) {
        let size = max(16, 1 << (Int.bitWidth - (2 * count).leadingZeroBitCount))
        keys = Array(repeating: Self.free, count: size)
        merges = Array(repeating: Merge(rank: 0, token: 0), count: size)
        mask = size - 1
    }

    /// Adds a pair; returns whether it is new.
    mutating func add(_ left: Int32, _ right: Int32, _ merge: Merge) -> Bool {
        let key = Self.key(left, right)
        var place = Self.hash(key) & mask
        while keys[place] != Self.free {
            if keys[place] == key { return false }
            place = (place + 1) & mask
        }
        (keys[place], merges[place]) = (key, merge)
        return true
    }

    /// What a pair becomes; nil if it stays.
    subscript(left: Int32, right: Int32) -> Merge? {
        let key = Self.key(left, right)
        var place = Self.hash(key) & mask
        while keys[place] != key {
            if keys[place] == Self.free { return nil }
            place = (place + 1) & mask
        }
        return merges[place]
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private static func hash(_ key: UInt64) -> Int {
        // The high bits of a product with an odd number depend on all bits (Fibonacci hashing).
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }
}
