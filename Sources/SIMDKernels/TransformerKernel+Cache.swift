package import Machine
package import Tensors

extension TransformerKernel {
    /// Whole blocks of keys and pairs of values: no two threads write to the same.
    private static let tokensOfPiece = 2 * AttentionShape.keyBlock

    /// Stores the keys and values of tokens that follow others.
    /// - Parameters:
    ///   - newKeys: `[count, width]`.
    ///   - newValues: `[count, width]`.
    ///   - position: of the first token.
    ///   - width: the channels of all heads.
    ///   - keys: of the sequence, in blocks of 16 tokens, `[blocks][width][16]`; in bfloat16 by pairs of
    ///     channels, `[blocks][width / 2][16][2]`.
    ///   - values: of the sequence, `[tokens][width]`; in bfloat16 by pairs of tokens, `[tokens / 2][width][2]`.
    ///   - element: the type in both, float32 or bfloat16 (rounded to nearest, ties to even).
    ///   - workers: the threads.
    package func store(
        _ newKeys: Span<Float>,
        _ newValues: Span<Float>,
        at position: Int,
        width: Int,
        keys: inout MutableRawSpan,
        values: inout MutableRawSpan,
        as element: FloatDType,
        on workers: WorkerPool
    ) {
        let rows = newKeys.count / width
        let block = AttentionShape.keyBlock
        let size = element.byteCount
        precondition(
            newKeys.count == rows * width && newValues.count == newKeys.count
                && values.byteCount >= element.storedTokens(position + rows) * width * size
                && (element == .float32 || width % 2 == 0)
                && keys.byteCount >= (position + rows + block - 1) / block * block * width * size,
            "\(rows) tokens from \(position) on in \(keys.byteCount) bytes"
        )
        unsafe newKeys.withUnsafeBufferPointer { newKeys in
            unsafe newValues.withUnsafeBufferPointer { newValues in
                unsafe keys.withUnsafeMutableBytes { keys in
                    unsafe values.withUnsafeMutableBytes { values in
                        // Every piece writes its own tokens; the new ones are only read.
                        nonisolated(unsafe) let (newKeys, newValues) = unsafe (newKeys, newValues)
                        nonisolated(unsafe) let (keys, values) = unsafe (keys, values)
                        let pieces = Self.pieces(of: position..<position + rows)
                        workers.perform(pieces.count) { piece, _ in
                            for index in pieces[piece] {
                                let row =
                                    (index - position) * width..<(index - position + 1) * width
                                let token = unsafe CachedToken(
                                    index: index,
                                    newKeys: UnsafeBufferPointer(rebasing: newKeys[row]),
                                    newValues: UnsafeBufferPointer(rebasing: newValues[row]),
                                    keys: keys,
                                    values: values
                                )
                                if element == .float32 {
                                    unsafe token.store()
                                } else {
                                    unsafe token.storeRounded()
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Cuts tokens where their places begin a piece.
    private static func pieces(of tokens: Range<Int>) -> [Range<Int>] {
        let starts = stride(
            from: tokens.lowerBound / tokensOfPiece * tokensOfPiece,
            to: tokens.upperBound,
            by: tokensOfPiece
        )
        return starts.map { ($0..<$0 + tokensOfPiece).clamped(to: tokens) }
    }
}

/// A token's keys and values, and the caches that they go to.
@unsafe
private struct CachedToken {
    let index: Int
    let newKeys: UnsafeBufferPointer<Float>
    let newValues: UnsafeBufferPointer<Float>
    let keys: UnsafeMutableRawBufferPointer
    let values: UnsafeMutableRawBufferPointer

    private var width: Int { unsafe newKeys.count }
    private var block: Int { AttentionShape.keyBlock }

    func store() {
        let (keys, values) = unsafe (
            keys.assumingMemoryBound(to: Float.self), values.assumingMemoryBound(to: Float.self)
        )
        let start = unsafe index / block * block * width + index % block
        for channel in unsafe 0..<width {
            unsafe keys[start + channel * block] = newKeys[channel]
            unsafe values[index * width + channel] = newValues[channel]
        }
    }

    func storeRounded() {
        let (keys, values) = unsafe (
            keys.assumingMemoryBound(to: UInt32.self), values.assumingMemoryBound(to: UInt32.self)
        )
        let start = unsafe index / block * block * width / 2 + index % block
        for pair in unsafe 0..<width / 2 {
            let (first, second) = unsafe (newKeys[2 * pair], newKeys[2 * pair + 1])
            unsafe keys[start + pair * block] = Self.rounded(first) | Self.rounded(second) << 16
        }
        let isSecond = unsafe index % 2 == 1
        for channel in unsafe 0..<width {
            let value = unsafe Self.rounded(newValues[channel])
            let place = unsafe index / 2 * width + channel
            // A second token is zero until there is one: it is multiplied with zero.
            unsafe values[place] = isSecond ? values[place] & 0xFFFF | value << 16 : value
        }
    }

    /// The bits of bfloat16, rounded to nearest, ties to even.
    private static func rounded(_ value: Float) -> UInt32 {
        let bits = value.bitPattern
        return value.isNaN ? bits >> 16 | 0x40 : (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
    }
}

extension FloatDType {
    /// The tokens that a cache of values has room for where there are so many: bfloat16 has them in pairs.
    package func storedTokens(_ tokens: Int) -> Int {
        self == .float32 ? tokens : (tokens + 1) / 2 * 2
    }
}
