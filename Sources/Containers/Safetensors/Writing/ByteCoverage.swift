/// Which bytes of something have been written: disjoint ranges, joined where they touch.
struct ByteCoverage {
    private let byteCount: Int
    private var ranges: [Range<Int>] = []
    private(set) var missingByteCount: Int

    init(byteCount: Int) {
        self.byteCount = byteCount
        missingByteCount = byteCount
    }

    var isComplete: Bool { missingByteCount == 0 }

    /// Adds a range.
    /// - Returns: false, and nothing happens, if part of it was there already.
    /// - Complexity: O(log n + n) for n gaps; writers leave few.
    mutating func insert(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return true }
        // The first known range that does not end before the new one begins.
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < range.lowerBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var joined = range
        var last = low
        while last < ranges.count, ranges[last].lowerBound <= range.upperBound {
            guard !ranges[last].overlaps(range) else { return false }
            joined =
                min(
                    joined.lowerBound,
                    ranges[last].lowerBound
                )..<max(joined.upperBound, ranges[last].upperBound)
            last += 1
        }
        ranges.replaceSubrange(low..<last, with: [joined])
        missingByteCount -= range.count
        return true
    }
}
