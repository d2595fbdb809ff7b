internal import CheckpointIO
internal import Machine
internal import Quant
internal import SIMDKernels
internal import Tensors

/// One layer of a decoder: attention to the tokens before, then a gated feed-forward part.
///
/// Each works on normalized activations and is added to what passes by (Touvron and others 2023,
/// section 2.2).
public struct DecoderLayer: Sendable {
    var inputNorm: RMSNorm
    var query: any LinearLayer
    var key: any LinearLayer
    var value: any LinearLayer
    var output: any LinearLayer
    /// Norms of the heads of queries and keys, of models that have them.
    var queryNorm: RMSNorm?
    var keyNorm: RMSNorm?
    var feedForwardNorm: RMSNorm
    var gate: any LinearLayer
    var up: any LinearLayer
    var down: any LinearLayer
    let attention: AttentionShape

    /// The linear layers, by the ends of their names in a checkpoint.
    static let linearLayers:
        [(name: String, path: any WritableKeyPath<DecoderLayer, any LinearLayer> & Sendable)] = [
            ("self_attn.q_proj", \.query), ("self_attn.k_proj", \.key),
            ("self_attn.v_proj", \.value), ("self_attn.o_proj", \.output),
            ("mlp.gate_proj", \.gate), ("mlp.up_proj", \.up), ("mlp.down_proj", \.down),
        ]

    /// Replaces the norms.
    /// - Parameters:
    ///   - prefix: what begins their names.
    ///   - body: receives a norm's name and the norm.
    mutating func mapNorms(_ prefix: String, _ body: (String, RMSNorm) -> RMSNorm) {
        inputNorm = body(prefix + "input_layernorm", inputNorm)
        feedForwardNorm = body(prefix + "post_attention_layernorm", feedForwardNorm)
        if let norm = queryNorm { queryNorm = body(prefix + "self_attn.q_norm", norm) }
        if let norm = keyNorm { keyNorm = body(prefix + "self_attn.k_norm", norm) }
    }

    /// Computes the layer in place.
    /// - Parameters:
    ///   - hidden: the activations of all tokens of the pass, `[tokens, hidden size]`; afterwards those of
    ///     the tokens whose outputs it computes.
    ///   - pass: what all layers share.
    ///   - index: the layer's place in the caches.
    ///   - buffers: scratch memory.
    /// - Throws: `limit.memory`.
    func forward(
        _ hidden: inout [Float],
        _ pass: DecoderPass,
        index: Int,
        _ buffers: inout DecoderBuffers
    ) throws(CheckpointError) {
        normalize(hidden, inputNorm, pass, &buffers)
        try pass.layers.run(
            [query, key, value],
            buffers.normalized[...],
            into: &buffers.projections,
            &buffers.layers
        )
        position(pass, &buffers.projections)
        let outputs = pass.outputs
        if pass.isForLastTokens {
            keep(pass.lastRows, of: &hidden, pass.rowCount)
            buffers.shorten(from: pass.rowCount, to: outputs.samples.count)
        }
        attend(pass, index, &buffers)
        try outputs.run(
            [output],
            buffers.attended[...],
            into: &hidden,
            accumulates: true,
            &buffers.layers
        )

        normalize(hidden, feedForwardNorm, pass, &buffers)
        try outputs.run(
            [gate, up],
            buffers.normalized[...],
            into: &buffers.gateAndUp,
            &buffers.layers
        )
        buffers.gateAndUp.withMutableFloatSpan {
            TransformerKernel.selected.gateSiLU(&$0, on: pass.workers)
        }
        try outputs.run(
            [down],
            buffers.gateAndUp.prefix(buffers.gateAndUp.count / 2),
            into: &hidden,
            accumulates: true,
            &buffers.layers
        )
    }

    /// Moves some rows to the front, and forgets the others.
    private func keep(_ rows: [Int], of hidden: inout [Float], _ rowCount: Int) {
        let width = hidden.count / rowCount
        for (place, row) in rows.enumerated() {
            for column in 0..<width {
                hidden[place * width + column] = hidden[row * width + column]
            }
        }
        DecoderBuffers.resize(&hidden, rows.count * width)
    }

    private func normalize(
        _ hidden: [Float],
        _ norm: RMSNorm,
        _ pass: DecoderPass,
        _ buffers: inout DecoderBuffers
    ) {
        hidden.withFloatSpan { hidden in
            buffers.normalized.withMutableFloatSpan {
                norm.forward(hidden, into: &$0, on: pass.workers)
            }
        }
    }

    /// Normalizes the heads of queries and keys, where the model does, and rotates them.
    private func position(_ pass: DecoderPass, _ projections: inout [Float]) {
        let parts = ProjectionRanges(attention, pass.rowCount)
        projections.withMutableFloatSpan { projections in
            for (range, norm) in [(parts.queries, queryNorm), (parts.keys, keyNorm)] {
                var heads = projections._mutatingExtracting(range)
                norm?.apply(to: &heads, on: pass.workers)
                pass.rotary.apply(pass.angles, to: &heads, width: attention.width, on: pass.workers)
            }
        }
    }

    private func attend(_ pass: DecoderPass, _ index: Int, _ buffers: inout DecoderBuffers) {
        let parts = ProjectionRanges(attention, pass.rowCount)
        buffers.withAttention { projections, attended, scratch in
            var first = 0
            var firstOutput = 0
            for chunk in pass.chunks {
                let rows = first..<first + chunk.tokens.count
                first = rows.upperBound
                let asking = pass.isForLastTokens ? rows.suffix(1) : rows
                let outputRows = firstOutput..<firstOutput + asking.count
                firstOutput = outputRows.upperBound
                chunk.cache.store(
                    projections.extracting(parts.keys(of: rows)),
                    projections.extracting(parts.values(of: rows)),
                    layer: index,
                    on: pass.workers
                )
                var outputs = attended._mutatingExtracting(parts.queries(of: outputRows))
                chunk.cache.withKeysAndValues(layer: index) { keys, values in
                    TransformerKernel.selected.attend(
                        projections.extracting(parts.queries(of: asking)),
                        keys: keys,
                        values: values,
                        as: chunk.cache.dtype,
                        position: chunk.cache.count + asking.lowerBound - rows.lowerBound,
                        shape: attention,
                        into: &outputs,
                        scratch: &scratch,
                        on: pass.workers
                    )
                }
            }
        }
    }
}

/// Where queries, keys and values of some rows are in the outputs of the layers that make them.
private struct ProjectionRanges {
    private let queryWidth: Int
    private let keyWidth: Int
    private let rowCount: Int

    init(_ shape: AttentionShape, _ rowCount: Int) {
        queryWidth = shape.headCount * shape.width
        keyWidth = shape.keyWidth
        self.rowCount = rowCount
    }

    var queries: Range<Int> { queries(of: 0..<rowCount) }
    var keys: Range<Int> { keys(of: 0..<rowCount) }

    func queries(of rows: Range<Int>) -> Range<Int> {
        rows.lowerBound * queryWidth..<rows.upperBound * queryWidth
    }

    func keys(of rows: Range<Int>) -> Range<Int> {
        let start = rowCount * queryWidth
        return start + rows.lowerBound * keyWidth..<start + rows.upperBound * keyWidth
    }

    func values(of rows: Range<Int>) -> Range<Int> {
        let start = rowCount * (queryWidth + keyWidth)
        return start + rows.lowerBound * keyWidth..<start + rows.upperBound * keyWidth
    }
}
