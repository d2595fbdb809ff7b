extension WorkerPool {
    /// Runs `body` once for each tile of an output, which it may write.
    ///
    /// Tile `i` is the bytes `i · byteCount ..< (i + 1) · byteCount`; the last may be shorter.
    /// - Parameters:
    ///   - output: the output; its tiles are those of the job.
    ///   - byteCount: the bytes of a tile, independent of the number of threads.
    ///   - body: receives the tile's index, the worker's, and the tile.
    /// - Throws: the error of the lowest index that throws.
    @inlinable
    package func perform<Failure: Error>(
        writing output: inout MutableRawSpan,
        every byteCount: Int,
        _ body:
            @Sendable (_ index: Int, _ worker: Int, inout MutableRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        try unsafe output.withUnsafeMutableBytes { (bytes) throws(Failure) in
            let tiles = unsafe DisjointTiles(bytes, every: byteCount)
            try perform(tiles.count) { (index, worker) throws(Failure) in
                var tile = unsafe UnsafeMutableRawBufferPointer(tiles[index]).mutableBytes
                try body(index, worker, &tile)
            }
        }
    }

    /// Runs `body` once for each tile of an output, which it may write.
    ///
    /// Tile `i` is the elements `i · count ..< (i + 1) · count`; the last may be shorter.
    /// - Parameters:
    ///   - output: the output; its tiles are those of the job.
    ///   - count: the elements of a tile, independent of the number of threads.
    ///   - body: receives the tile's index, the worker's, and the tile.
    /// - Throws: the error of the lowest index that throws.
    @inlinable
    package func perform<Element, Failure: Error>(
        writing output: inout MutableSpan<Element>,
        every count: Int,
        _ body:
            @Sendable (_ index: Int, _ worker: Int, inout MutableSpan<Element>) throws(Failure)
            -> Void
    ) throws(Failure) {
        try unsafe output.withUnsafeMutableBufferPointer { (elements) throws(Failure) in
            let tiles = unsafe DisjointTiles(elements, every: count)
            try perform(tiles.count) { (index, worker) throws(Failure) in
                var tile = unsafe tiles[index].mutableSpan
                try body(index, worker, &tile)
            }
        }
    }

    /// Runs `body` once for each tile of two outputs, which it may write.
    ///
    /// Both are cut into the same number of tiles.
    /// - Parameters:
    ///   - output: the first output.
    ///   - byteCount: the bytes of its tiles, independent of the number of threads.
    ///   - second: the second output.
    ///   - secondCount: the elements of its tiles.
    ///   - body: receives the tile's index, the worker's, and the tile of each output.
    /// - Throws: the error of the lowest index that throws.
    @inlinable
    package func perform<Element, Failure: Error>(
        writing output: inout MutableRawSpan,
        every byteCount: Int,
        and second: inout MutableSpan<Element>,
        every secondCount: Int,
        _ body:
            @Sendable (
                _ index: Int, _ worker: Int, inout MutableRawSpan, inout MutableSpan<Element>
            ) throws(Failure) -> Void
    ) throws(Failure) {
        try unsafe output.withUnsafeMutableBytes { (bytes) throws(Failure) in
            try unsafe second.withUnsafeMutableBufferPointer { (elements) throws(Failure) in
                let tiles = unsafe DisjointTiles(bytes, every: byteCount)
                let secondTiles = unsafe DisjointTiles(elements, every: secondCount)
                precondition(
                    tiles.count == secondTiles.count,
                    "the outputs have \(tiles.count) and \(secondTiles.count) tiles"
                )
                try perform(tiles.count) { (index, worker) throws(Failure) in
                    var tile = unsafe UnsafeMutableRawBufferPointer(tiles[index]).mutableBytes
                    var secondTile = unsafe secondTiles[index].mutableSpan
                    try body(index, worker, &tile, &secondTile)
                }
            }
        }
    }

    /// Returns the results of `body` for each index in `0 ..< count`, in their order.
    ///
    /// - Parameters:
    ///   - count: the number of tiles.
    ///   - body: receives the tile's index and the worker's.
    /// - Returns: `count` results; adding them up in this order gives the same bits for any number of
    ///   threads.
    /// - Throws: the error of the lowest index that throws.
    @inlinable
    package func map<Result: Sendable, Failure: Error>(
        _ count: Int,
        _ body: @Sendable (_ index: Int, _ worker: Int) throws(Failure) -> Result
    ) throws(Failure) -> [Result] {
        var results = [Result?](repeating: nil, count: count)
        try unsafe results.withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            var output = unsafe buffer.mutableSpan
            try perform(writing: &output, every: 1) { (index, worker, tile) throws(Failure) in
                tile[0] = try body(index, worker)
            }
        }
        return results.compactMap { $0 }
    }
}

/// An output cut into tiles that threads write at the same time.
///
/// Safe, because it stays in this file. Sendable without the compiler's check, because no two tiles
/// overlap and `perform` gives each tile to one call only; it lives no longer than that call.
@safe
@usableFromInline
struct DisjointTiles<Element>: @unchecked Sendable {
    @usableFromInline let elements: UnsafeMutableBufferPointer<Element>
    @usableFromInline let stride: Int

    @inlinable
    init(_ elements: UnsafeMutableBufferPointer<Element>, every stride: Int) {
        precondition(stride > 0, "tiles of \(stride) elements")
        unsafe self.elements = elements
        self.stride = stride
    }

    @inlinable var count: Int {
        unsafe elements.count / stride + (elements.count % stride == 0 ? 0 : 1)
    }

    @inlinable subscript(index: Int) -> UnsafeMutableBufferPointer<Element> {
        let start = index * stride
        return unsafe UnsafeMutableBufferPointer(
            rebasing: elements[start..<min(start + stride, elements.count)]
        )
    }
}

extension DisjointTiles where Element == UInt8 {
    @inlinable
    init(_ bytes: UnsafeMutableRawBufferPointer, every stride: Int) {
        unsafe self.init(bytes.assumingMemoryBound(to: UInt8.self), every: stride)
    }
}
