internal import CSIMDKernels
package import Machine
package import Tensors

/// The sizes of causal attention of the tokens of one sequence to all before them.
package struct AttentionShape: Sendable, Hashable {
    /// Query heads.
    package var headCount: Int
    /// Key-value heads, each shared by as many query heads.
    package var keyValueHeadCount: Int
    /// The channels of a head.
    package var width: Int
    /// How many tokens a query sees, itself included; nil: all before it.
    package var window: Int?
    /// A factor of all scores.
    package var scale: Float

    package init(
        headCount: Int,
        keyValueHeadCount: Int,
        width: Int,
        window: Int?,
        scale: Float
    ) {
        precondition(
            keyValueHeadCount > 0 && headCount % keyValueHeadCount == 0 && width > 0,
            "\(headCount) heads share \(keyValueHeadCount) of \(width) channels"
        )
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.width = width
        self.window = window
        self.scale = scale
    }

    /// The tokens that share a block of keys.
    package static let keyBlock = Int(QK_KEY_BLOCK)

    /// Query heads of a key-value head.
    var groupCount: Int { headCount / keyValueHeadCount }
    /// The numbers of a query of all heads.
    var queryWidth: Int { headCount * width }
    /// The numbers of a key or value of all heads.
    package var keyWidth: Int { keyValueHeadCount * width }
    /// Queries that one call of the kernel takes: about 48 rows of scores, whatever the threads.
    var queriesAtOnce: Int { max(48 / groupCount, 1) }
    /// The scratch numbers of a thread.
    package var scratchCount: Int {
        (Int(QK_KEYS_AT_ONCE) + 2 * width + 18) * queriesAtOnce * groupCount
    }
}

extension TransformerKernel {
    /// Computes attention of the last tokens of a sequence.
    /// - Parameters:
    ///   - queries: `[count, heads · width]`, of the tokens from `position` on.
    ///   - keys: of the whole sequence, as `store` lays them out.
    ///   - values: of the whole sequence, as `store` lays them out.
    ///   - element: the type of keys and values, float32 or bfloat16.
    ///   - position: of the first query.
    ///   - shape: the sizes.
    ///   - outputs: receives as many rows as there are queries.
    ///   - scratch: `shape.scratchCount` numbers for each thread.
    ///   - workers: the threads.
    package func attend(
        _ queries: Span<Float>,
        keys: RawSpan,
        values: RawSpan,
        as element: FloatDType,
        position: Int,
        shape: AttentionShape,
        into outputs: inout MutableSpan<Float>,
        scratch: inout [Float],
        on workers: WorkerPool
    ) {
        let count = queries.count / shape.queryWidth
        let tokens = position + count
        let block = AttentionShape.keyBlock
        precondition(
            queries.count == count * shape.queryWidth && outputs.count == queries.count
                && element.count(in: keys.byteCount)
                    >= (tokens + block - 1) / block * block * shape.keyWidth
                && element.count(in: values.byteCount)
                    >= element.storedTokens(tokens) * shape.keyWidth
                && element != .float16 && (element == .float32 || shape.width % 2 == 0)
                && scratch.count >= workers.threadCount * shape.scratchCount,
            "\(queries.count) numbers of queries, \(keys.byteCount) bytes of keys for \(tokens) tokens"
        )
        unsafe queries.withUnsafeBufferPointer { q in
            unsafe keys.withUnsafeBytes { k in
                unsafe values.withUnsafeBytes { v in
                    unsafe outputs.withUnsafeMutableBufferPointer { out in
                        unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                            let whole = unsafe qk_attention(
                                q: q.baseAddress,
                                k: k.baseAddress,
                                v: v.baseAddress,
                                type: element.cType,
                                out: out.baseAddress,
                                scratch: scratch.baseAddress,
                                q_stride: shape.queryWidth,
                                k_stride: block * shape.keyWidth,
                                v_stride: shape.keyWidth,
                                queries: count,
                                heads: shape.groupCount,
                                d: shape.width,
                                position: position,
                                window: shape.window ?? 0,
                                scale: shape.scale
                            )
                            unsafe AttentionPieces(
                                function: functions.attend,
                                whole: whole,
                                shape: shape,
                                byteCount: element.byteCount,
                                valueByteCount: element.storedTokens(1) * element.byteCount
                            ).run(on: workers)
                        }
                    }
                }
            }
        }
    }
}

/// Attention whose heads and runs of queries are computed on several threads.
///
/// `@unchecked Sendable`: every piece writes its own channels of its own rows, each thread has its own
/// scratch numbers, and all else is read; it lives no longer than the call that makes it.
@safe
private struct AttentionPieces: @unchecked Sendable {
    let function: (@convention(c) (UnsafePointer<qk_attention>?) -> Void)?
    let whole: qk_attention
    let shape: AttentionShape
    /// Of a number of keys.
    let byteCount: Int
    /// From one channel of values to the next.
    let valueByteCount: Int

    func run(on workers: WorkerPool) {
        let runs = unsafe (whole.queries + shape.queriesAtOnce - 1) / shape.queriesAtOnce
        let heads = shape.keyValueHeadCount
        // The last queries see most tokens: they come first, so that no thread is left with one.
        workers.perform(runs * heads) { piece, worker in
            var own = unsafe whole
            let (run, head) = (runs - 1 - piece / heads, piece % heads)
            let first = run * shape.queriesAtOnce
            let queryOffset = unsafe first * whole.q_stride + head * shape.groupCount * shape.width
            unsafe own.q += queryOffset
            unsafe own.out += queryOffset
            unsafe own.k += byteCount * head * shape.width * AttentionShape.keyBlock
            unsafe own.v += valueByteCount * head * shape.width
            unsafe own.scratch += worker * shape.scratchCount
            unsafe own.queries = min(shape.queriesAtOnce, whole.queries - first)
            unsafe own.position = whole.position + first
            unsafe function?(&own)
        }
    }
}
