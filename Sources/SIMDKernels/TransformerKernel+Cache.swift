extension TransformerKernel {
    /// Stores the keys and values of tokens that follow others.
    /// - Parameters:
    ///   - newKeys: `[count, width]`.
    ///   - newValues: `[count, width]`.
    ///   - position: of the first token.
    ///   - width: the channels of all heads.
    ///   - keys: of the sequence, in blocks of 16 tokens, `[blocks][width][16]`.
    ///   - values: of the sequence, `[tokens][width]`.
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
                && values.byteCount >= (position + rows) * width * size
                && keys.byteCount >= (position + rows + block - 1) / block * block * width * size,
            "\(rows) tokens from \(position) on in \(keys.byteCount) bytes"
        )
        unsafe newKeys.withUnsafeBufferPointer { newKeys in
            unsafe newValues.withUnsafeBufferPointer { newValues in
                unsafe keys.withUnsafeMutableBytes { keys in
                    unsafe values.withUnsafeMutableBytes { values in
                        for row in 0..<rows {
                            let token = position + row
                            let start = token / block * block * width + token % block
                            for channel in 0..<width {
                                let place = row * width + channel
                                unsafe Self.put(
                                    newKeys[place],
                                    start + channel * block,
                                    keys,
                                    element
                                )
                                unsafe Self.put(
                                    newValues[place],
                                    token * width + channel,
                                    values,
                                    element
                                )
                            }
                        }
                    }
                }
            }
        }
    }

    @inline(__always)
    private static func put(
        _ value: Float,
        _ place: Int,
        _ bytes: UnsafeMutableRawBufferPointer,
        _ element: FloatElement
    ) {
        if element == .float32 {
            unsafe bytes.storeBytes(of: value, toByteOffset: 4 * place, as: Float.self)
            return
        }
        let bits = value.bitPattern
        let rounded =
            value.isNaN ? bits >> 16 | 0x40 : (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
        unsafe bytes.storeBytes(
            of: UInt16(truncatingIfNeeded: rounded),
            toByteOffset: 2 * place,
            as: UInt16.self
        )
    }
}
