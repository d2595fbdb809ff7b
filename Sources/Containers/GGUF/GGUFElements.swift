package import Files
internal import Tensors

/// The elements of one tensor of a GGUF file: float32 for packed types, else as stored.
///
/// Rows come in Hugging Face's order, and packed blocks are decoded on the way.
package struct GGUFElements: ElementSource {
    let source: any ByteSource
    let tensor: GGUFTensor
    let rowOrder: GGUFRowOrder
    /// Whether the file has float32 values plus 1, to be undone.
    let isOffset: Bool

    package init(
        source: any ByteSource,
        tensor: GGUFTensor,
        rowOrder: GGUFRowOrder,
        isOffset: Bool
    ) {
        self.source = source
        self.tensor = tensor
        self.rowOrder = rowOrder
        self.isOffset = isOffset
    }

    /// Bytes of packed blocks decoded at a time: small enough to stay in the cache.
    private static let chunkByteCount = 1 << 16

    package func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError)
    {
        let elementByteCount = tensor.elementDType.bitCount / 8
        precondition(
            range.lowerBound >= 0 && range.upperBound <= tensor.elementCount
                && bytes.byteCount == range.count * elementByteCount,
            "elements \(range) of \(tensor.elementCount) into \(bytes.byteCount) bytes"
        )
        if rowOrder == .same {
            try readInFileOrder(range, into: &bytes)
        } else {
            try readRows(range, into: &bytes)
        }
        if isOffset { subtractOne(from: &bytes) }
    }

    /// Reads elements row by row, each from its place in the file.
    private func readRows(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        let elementByteCount = tensor.elementDType.bitCount / 8
        // The elements of a vector are its rows.
        let rowLength = tensor.elementCount / tensor.shape[0]
        var index = range.lowerBound
        while index < range.upperBound {
            let (row, column) = index.quotientAndRemainder(dividingBy: rowLength)
            let end = min(range.upperBound, (row + 1) * rowLength)
            let start = rowOrder.fileRow(of: row) * rowLength + column
            let place = (index - range.lowerBound) * elementByteCount
            let length = (end - index) * elementByteCount
            var part = bytes._mutatingExtracting(place..<place + length)
            try readInFileOrder(start..<start + end - index, into: &part)
            index = end
        }
    }

    /// Reads elements that follow one another in the file.
    private func readInFileOrder(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        let type = tensor.type
        guard type.isPacked else {
            try source.read(
                at: tensor.bytes.lowerBound + range.lowerBound * type.blockByteCount,
                into: &bytes
            )
            return
        }
        var index = range.lowerBound
        while index < range.upperBound {
            let (block, skipped) = index.quotientAndRemainder(dividingBy: type.blockLength)
            let place = (index - range.lowerBound) * 4
            let wholeCount = (range.upperBound - index) / type.blockLength
            if skipped == 0, wholeCount > 0 {
                let count = min(wholeCount, Self.chunkByteCount / type.blockByteCount)
                let length = count * type.blockLength
                var part = bytes._mutatingExtracting(place..<place + length * 4)
                try decodeBlocks(block..<block + count, into: &part)
                index += length
            } else {
                let count = min(type.blockLength - skipped, range.upperBound - index)
                var part = bytes._mutatingExtracting(place..<place + count * 4)
                try decodePart(skipped..<skipped + count, of: block, into: &part)
                index += count
            }
        }
    }

    /// Decodes whole blocks.
    private func decodeBlocks(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        let size = tensor.type.blockByteCount
        let start = tensor.bytes.lowerBound
        let packed = try source.bytes(
            in: start + range.lowerBound * size..<start + range.upperBound * size
        )
        unsafe packed.withUnsafeBytes { buffer in
            let blocks = unsafe RawSpan(_unsafeBytes: buffer)
            tensor.type.decode(blocks, into: &bytes)
        }
    }

    /// Decodes some elements of one block.
    private func decodePart(
        _ range: Range<Int>,
        of block: Int,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        var whole = [UInt8](repeating: 0, count: tensor.type.blockLength * 4)
        let failure: CheckpointError? = unsafe whole.withUnsafeMutableBytes { buffer in
            var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
            do throws(CheckpointError) {
                try decodeBlocks(block..<block + 1, into: &span)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        for (place, byte) in whole[range.lowerBound * 4..<range.upperBound * 4].enumerated() {
            bytes.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
        }
    }

    /// Subtracts 1 from little-endian float32 numbers.
    private func subtractOne(from bytes: inout MutableRawSpan) {
        for place in stride(from: 0, to: bytes.byteCount, by: 4) {
            let bits = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt32.self)
            let number = Float(bitPattern: UInt32(littleEndian: bits)) - 1
            bytes.storeBytes(
                of: number.bitPattern.littleEndian,
                toByteOffset: place,
                as: UInt32.self
            )
        }
    }
}
