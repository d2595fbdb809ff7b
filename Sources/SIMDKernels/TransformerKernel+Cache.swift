extension TransformerKernel {
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
    package func store(
        _ newKeys: Span<Float>,
        _ newValues: Span<Float>,
        at position: Int,
        width: Int,
        keys: inout MutableRawSpan,
        values: inout MutableRawSpan,
        as element: FloatElement
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
                        for row in 0..<rows {
                            let token = position + row
                            let start = row * width
                            switch element {
                            case .float32:
                                unsafe Self.storeFloats(
                                    newKeys[start..<start + width],
                                    newValues[start..<start + width],
                                    token,
                                    keys,
                                    values
                                )
                            default:
                                unsafe Self.storeRounded(
                                    newKeys[start..<start + width],
                                    newValues[start..<start + width],
                                    token,
                                    keys,
                                    values
                                )
                            }
                        }
                    }
                }
            }
        }
    }

    @unsafe
    private static func storeFloats(
        _ newKeys: Slice<UnsafeBufferPointer<Float>>,
        _ newValues: Slice<UnsafeBufferPointer<Float>>,
        _ token: Int,
        _ keys: UnsafeMutableRawBufferPointer,
        _ values: UnsafeMutableRawBufferPointer
    ) {
        let (block, width) = unsafe (AttentionShape.keyBlock, newKeys.count)
        let (keys, values) = unsafe (
            keys.assumingMemoryBound(to: Float.self), values.assumingMemoryBound(to: Float.self)
        )
        let start = token / block * block * width + token % block
        for channel in 0..<width {
            unsafe keys[start + channel * block] = newKeys[newKeys.startIndex + channel]
            unsafe values[token * width + channel] = newValues[newValues.startIndex + channel]
        }
    }

    @unsafe
    private static func storeRounded(
        _ newKeys: Slice<UnsafeBufferPointer<Float>>,
        _ newValues: Slice<UnsafeBufferPointer<Float>>,
        _ token: Int,
        _ keys: UnsafeMutableRawBufferPointer,
        _ values: UnsafeMutableRawBufferPointer
    ) {
        let (block, width) = unsafe (AttentionShape.keyBlock, newKeys.count)
        let (keys, values) = unsafe (
            keys.assumingMemoryBound(to: UInt32.self), values.assumingMemoryBound(to: UInt32.self)
        )
        let start = token / block * block * width / 2 + token % block
        for pair in 0..<width / 2 {
            let place = unsafe newKeys.startIndex + 2 * pair
            unsafe keys[start + pair * block] =
                rounded(newKeys[place]) | rounded(newKeys[place + 1]) << 16
        }
        let isSecond = token % 2 == 1
        for channel in 0..<width {
            let value = unsafe rounded(newValues[newValues.startIndex + channel])
            let place = token / 2 * width + channel
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

extension FloatElement {
    /// The tokens that a cache of values has room for where there are so many: bfloat16 has them in pairs.
    package func storedTokens(_ tokens: Int) -> Int {
        self == .float32 ? tokens : (tokens + 1) / 2 * 2
    }
}
