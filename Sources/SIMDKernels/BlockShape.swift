/// The sizes that belong to `count` elements in blocks of `blockSize`.
struct BlockShape {
    let count: Int
    let blockSize: Int

    /// - Precondition: `blockSize` is positive and even, so that no two blocks share a byte.
    init(count: Int, blockSize: Int) {
        precondition(
            blockSize > 0 && blockSize % 2 == 0,
            "block size \(blockSize) is not a positive even number"
        )
        self.count = count
        self.blockSize = blockSize
    }

    /// `ceil(count / blockSize)`.
    var blockCount: Int { count / blockSize + (count % blockSize == 0 ? 0 : 1) }
    /// `ceil(count / 2)`.
    var packedByteCount: Int { count / 2 + count % 2 }

    /// Stops the process if the buffers of scales and packed codes have other sizes.
    func check(scaleCount: Int, packedByteCount byteCount: Int) {
        precondition(
            scaleCount == blockCount,
            "\(scaleCount) scales for \(blockCount) blocks of \(blockSize) elements"
        )
        precondition(
            byteCount == packedByteCount,
            "\(byteCount) bytes of codes for \(count) elements instead of \(packedByteCount)"
        )
    }
}
