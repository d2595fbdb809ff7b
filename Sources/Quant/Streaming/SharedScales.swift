internal import Synchronization

/// The scales of one tensor, put together by its tiles.
final class SharedScales: Sendable {
    private let count: Int
    private let values = Mutex<[Float]>([])

    /// Makes room for `count` scales when the first of them is known.
    init(count: Int) {
        self.count = count
    }

    /// Sets some of them.
    func set(_ scales: Span<Float>, from start: Int) {
        values.withLock { values in
            if values.isEmpty { values = [Float](repeating: 0, count: count) }
            for index in 0..<scales.count { values[start + index] = scales[index] }
        }
    }

    /// Gives some of them.
    func copy(from start: Int, into scales: inout MutableSpan<Float>) {
        values.withLock { values in
            for index in 0..<scales.count { scales[index] = values[start + index] }
        }
    }

    /// All of them, which frees the memory here.
    func take() -> [Float] {
        values.withLock { values in
            defer { values = [] }
            return values
        }
    }

    /// Puts other scales in their place.
    func replace(with scales: [Float]) {
        values.withLock { $0 = scales }
    }
}
