/// Merges long pieces in time that grows like their length times its logarithm: pairs wait in a heap,
/// symbols are chained.
enum MergeQueue {
    private struct Candidate {
        let rank: UInt32
        let place: Int32
        let left: Int32
        let right: Int32
        let token: Int32

        func precedes(_ other: Candidate) -> Bool {
            (rank, place) < (other.rank, other.place)
        }
    }

    /// Returns the symbols after all merges: lowest rank first, of equal ones the leftmost.
    static func merged(_ symbols: [Int32], _ merges: MergeTable) -> [Int32] {
        var symbols = symbols
        let count = symbols.count
        var next = (0..<count).map { Int32($0 + 1 < count ? $0 + 1 : -1) }
        var previous = (0..<count).map { Int32($0 - 1) }
        var heap: [Candidate] = []

        func offer(_ place: Int32) {
            let right = next[Int(place)]
            guard right >= 0 else { return }
            let (first, second) = (symbols[Int(place)], symbols[Int(right)])
            guard let merge = merges[first, second] else { return }
            push(
                Candidate(
                    rank: merge.rank,
                    place: place,
                    left: first,
                    right: second,
                    token: merge.token
                ),
                on: &heap
            )
        }

        for place in 0..<count { offer(Int32(place)) }
        while let candidate = pop(from: &heap) {
            let place = Int(candidate.place)
            let right = next[place]
            // Pairs of which a part was merged meanwhile are out of date.
            guard symbols[place] == candidate.left, right >= 0,
                symbols[Int(right)] == candidate.right
            else { continue }
            symbols[place] = candidate.token
            symbols[Int(right)] = -1
            let after = next[Int(right)]
            next[place] = after
            if after >= 0 { previous[Int(after)] = candidate.place }
            if previous[place] >= 0 { offer(previous[place]) }
            offer(candidate.place)
        }
        return symbols.filter { $0 >= 0 }
    }

    private static func push(_ candidate: Candidate, on heap: inout [Candidate]) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private static func pop(from heap: inout [Candidate]) -> Candidate? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            guard least != parent else { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
