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
    ///   - hidden: the activations of all tokens of the pass, `[tokens, hidden size]`.
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
        try pass.run(query, buffers.normalized, into: &buffers.queries, &buffers.layers)
        try pass.run(key, buffers.normalized, into: &buffers.keys, &buffers.layers)
        try pass.run(value, buffers.normalized, into: &buffers.values, &buffers.layers)
        position(&buffers.queries, queryNorm, pass)
        position(&buffers.keys, keyNorm, pass)
        attend(pass, index, &buffers)
        try pass.run(output, buffers.attended, into: &buffers.normalized, &buffers.layers)
        pass.add(buffers.normalized, to: &hidden)

        normalize(hidden, feedForwardNorm, pass, &buffers)
        try pass.run(gate, buffers.normalized, into: &buffers.gate, &buffers.layers)
        try pass.run(up, buffers.normalized, into: &buffers.up, &buffers.layers)
        pass.applyGate(&buffers.gate, up: buffers.up)
        try pass.run(down, buffers.gate, into: &buffers.normalized, &buffers.layers)
        pass.add(buffers.normalized, to: &hidden)
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

    /// Normalizes the heads of queries or keys, where the model does, and rotates them.
    private func position(_ heads: inout [Float], _ norm: RMSNorm?, _ pass: DecoderPass) {
        heads.withMutableFloatSpan { heads in
            norm?.apply(to: &heads, on: pass.workers)
            pass.rotary.apply(pass.angles, to: &heads, width: attention.width, on: pass.workers)
        }
    }

    private func attend(_ pass: DecoderPass, _ index: Int, _ buffers: inout DecoderBuffers) {
        let queryWidth = attention.headCount * attention.width
        let keyWidth = attention.keyWidth
        var first = 0
        for chunk in pass.chunks {
            let rows = first..<first + chunk.tokens.count
            first = rows.upperBound
            let (keys, values) = (buffers.keys, buffers.values)
            keys.withFloatSpan { keys in
                values.withFloatSpan { values in
                    let range = rows.lowerBound * keyWidth..<rows.upperBound * keyWidth
                    chunk.cache.store(
                        keys.extracting(range),
                        values.extracting(range),
                        layer: index
                    )
                }
            }
            let range = rows.lowerBound * queryWidth..<rows.upperBound * queryWidth
            buffers.withQueriesAndOutputs(range) { queries, outputs, scratch in
                chunk.cache.withKeysAndValues(layer: index) { keys, values in
                    TransformerKernel.selected.attend(
                        queries,
                        keys: keys,
                        values: values,
                        as: chunk.cache.dtype.element,
                        position: chunk.cache.count,
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
