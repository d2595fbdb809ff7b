import Foundation
import TestSupport
import Testing

@testable import Containers
@testable import Files
@testable import HuggingFace

@Suite("Models in GGUF files")
struct GGUFModelTests {
    @Test("rows of queries and keys come in the order of the reference's index table")
    func undoesTheRowPermutation() throws {
        let golden = try #require(Golden.object("gguf.json")["qk_permutation"] as? [String: Any])
        let table = try #require(golden["hf_row_of_gguf_row"] as? [Int])
        let heads = try #require(golden["heads"] as? Int)
        let order = GGUFRowOrder.interleavedHalves(rowsPerHead: table.count / heads)
        #expect(table.indices.map { order.fileRow(of: table[$0]) } == Array(table.indices))
    }

    @Test(
        "every row occurs once, and halves of a head are interleaved",
        arguments: [2, 4, 64, 128]
    )
    func permutesWithinHeads(rowsPerHead: Int) {
        let order = GGUFRowOrder.interleavedHalves(rowsPerHead: rowsPerHead)
        let rows = (0..<3 * rowsPerHead).map(order.fileRow)
        #expect(rows.sorted() == Array(0..<3 * rowsPerHead))
        for (row, fileRow) in rows.enumerated() {
            let (head, place) = row.quotientAndRemainder(dividingBy: rowsPerHead)
            let (t, j) = place.quotientAndRemainder(dividingBy: rowsPerHead / 2)
            #expect(fileRow == head * rowsPerHead + 2 * j + t)
        }
    }

    @Test("a llama has Hugging Face's names, and only queries and keys change their rows")
    func mapsALlama() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.add("output.weight", [16, 20])
        let contents = try open(&writer)
        let layer = "model.layers.0."
        #expect(
            contents.tensors.map(\.description.name.text) == [
                "model.embed_tokens.weight", layer + "input_layernorm.weight",
                layer + "self_attn.q_proj.weight", layer + "self_attn.k_proj.weight",
                layer + "self_attn.v_proj.weight", layer + "self_attn.o_proj.weight",
                layer + "post_attention_layernorm.weight", layer + "mlp.gate_proj.weight",
                layer + "mlp.up_proj.weight", layer + "mlp.down_proj.weight", "model.norm.weight",
                "lm_head.weight",
            ]
        )
        #expect(contents.container == .gguf)
        #expect(contents.configuration?["tie_word_embeddings"] == false)
        for (index, tensor) in contents.tensors.enumerated() {
            let values = try floats(of: tensor)
            let width = tensor.description.shape.last ?? 1
            let rowsPerHead = index == 2 || index == 3 ? 8 : 0
            for (place, value) in values.enumerated() {
                let (row, column) = place.quotientAndRemainder(dividingBy: width)
                let inHead = rowsPerHead == 0 ? 0 : row % rowsPerHead
                let fileRow =
                    rowsPerHead == 0
                    ? row
                    : row - inHead + inHead % (rowsPerHead / 2) * 2 + inHead / (rowsPerHead / 2)
                #expect(value == Float(index * 1000 + fileRow * width + column))
            }
        }
    }

    @Test("biases of queries are permuted like the rows, ranges may cut rows")
    func permutesBiases() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.add("blk.0.attn_q.bias", [16])
        let contents = try open(&writer)
        let bias = try #require(contents.tensors.last)
        #expect(bias.description.name == "model.layers.0.self_attn.q_proj.bias")
        let order = [0, 2, 4, 6, 1, 3, 5, 7].map { Float(11000 + $0) }
        #expect(try Array(floats(of: bias).prefix(8)) == order)
        let query = contents.tensors[2]
        let whole = try floats(of: query)
        for range in [0..<5, 15..<17, 30..<100, 255..<256, 7..<7] {
            #expect(try floats(of: query, range) == Array(whole[range]))
        }
        #expect(contents.configuration?["attention_bias"] == true)
    }

    @Test("Qwen keeps its rows")
    func keepsRowsOfQwen() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.rename("qwen2")
        let contents = try open(&writer)
        #expect(try floats(of: contents.tensors[2]) == (0..<256).map { Float(2000 + $0) })
        #expect(contents.configuration?["architectures"] == ["Qwen2ForCausalLM"])
    }

    @Test("Gemma's norms lose the 1 that was added")
    func undoesGemmasOffset() throws {
        let contents = try open(GGUFWriter.tinyGemma())
        let norms = contents.tensors.filter { $0.description.name.text.contains("norm") }
        #expect(norms.count == 26 * 4 + 1)
        for norm in norms { #expect(try floats(of: norm)[1] == floats(of: norm)[0] + 1) }
        let last = try #require(norms.last)
        let index = contents.tensors.count - 1
        #expect(try floats(of: last)[0] == Float(index * 1000 - 1))
        #expect(contents.configuration?["query_pre_attn_scalar"] == 8)
    }

    @Test("config.json has what transformers needs, numbers as people wrote them")
    func writesTheConfiguration() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.set("llama.rope.freq_base", .float32(100_000))
        writer.set("llama.rope.dimension_count", .uint32(8))
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.eos_token_id", .uint32(2))
        let configuration = try #require(try open(&writer).configuration)
        let expected = """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, \
            "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8, \
            "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24, \
            "max_position_embeddings": 64, "mlp_bias": false, "model_type": "llama", \
            "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1, \
            "pad_token_id": null, "rms_norm_eps": 1e-05, "rope_theta": 100000.0, \
            "tie_word_embeddings": true, "torch_dtype": "float32", "use_cache": true, \
            "vocab_size": 20}
            """
        #expect(configuration.text(JSONStyle(sortsKeys: true)) == expected)
    }

    @Test("Llama 3's rotary factors are recognised, others refused")
    func recognisesLlama3Scaling() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.tensors.insert(.init(name: "rope_freqs.weight", dims: [4], type: 0, data: []), at: 0)
        func set(_ factors: [Double]) {
            writer.tensors[0].data = factors.flatMap { little(Float($0).bitPattern) }
        }
        set([1, 1, 1, 8])
        #expect(throws: CheckpointError.self) { try open(&writer) }
        // At base 500000 the wavelengths are 6, 167, 4443 and 118143; the third is between 2048
        // and 8192, where the divisor is interpolated.
        writer.set("llama.rope.freq_base", .float32(500_000))
        let wavelength = 2 * Double.pi * 500_000.0.squareRoot()
        let smooth = (8192 / wavelength - 1) / 3
        set([1, 1, 1 / ((1 - smooth) / 8 + smooth), 8])
        let contents = try open(&writer)
        let scaling = try #require(try contents.configuration?.object("rope_scaling"))
        #expect(scaling["rope_type"] == "llama3")
        #expect(try scaling.double("factor") == 8)
        #expect(contents.tensors.count == 11)
    }

    @Test("packed models were bfloat16, others are what their matrices are")
    func prefersAType() throws {
        var writer = GGUFWriter.tinyLlama()
        #expect(try open(&writer).preferredDType == .float32)
        for index in writer.tensors.indices where writer.tensors[index].dims.count == 2 {
            writer.tensors[index].type = 1
            writer.tensors[index].data.removeLast(writer.tensors[index].data.count / 2)
        }
        let halves = try open(&writer)
        #expect(halves.preferredDType == .float16)
        #expect(halves.configuration?["torch_dtype"] == "float16")
        #expect(halves.tensors[2].description.dtype == .float16)
        #expect(halves.tensors[2].storedName == "blk.0.attn_q.weight")
        writer.change("blk.0.attn_q.weight") { $0.type = 30 }
        #expect(try open(&writer).preferredDType == .bfloat16)
    }

    @Test("keys of the wrong size or type are refused by their name")
    func refusesKeys() throws {
        for key in ["block_count", "embedding_length", "attention.head_count"] {
            let key = "llama.\(key)"
            try expect(.ggufMissingKey, key) { $0.remove(key) }
            try expect(.ggufKeyType, key) { $0.set(key, .string("1")) }
            try expect(.configRange, key) { $0.set(key, .uint32(.max)) }
        }
        try expect(.configRange, "llama.attention.head_count") {
            $0.set("llama.attention.head_count", .uint32(0))
        }
        try expect(.configRange, "llama.attention.head_count_kv") {
            $0.set("llama.attention.head_count_kv", .uint32(3))
        }
        let epsilon = "llama.attention.layer_norm_rms_epsilon"
        for value in [.nan, .infinity, 0, -1] as [Float] {
            try expect(.configRange, epsilon) { $0.set(epsilon, .float32(value)) }
        }
        try expect(.ggufKeyType, epsilon) { $0.set(epsilon, .uint32(1)) }
        try expect(.ggufMissingKey, "general.architecture") { $0.remove("general.architecture") }
        try expect(.configUnsupported, "llama.expert_count") {
            $0.set("llama.expert_count", .uint32(8))
        }
        try expect(.configUnsupported, "llama.rope.dimension_count") {
            $0.set("llama.rope.dimension_count", .uint32(4))
        }
        try expect(.configUnsupported, "llama.rope.scaling.type") {
            $0.set("llama.rope.scaling.type", .string("dynamic"))
        }
        try expect(.configUnsupported, "general.type") {
            $0.set("general.type", .string("adapter"))
        }
        try expect(.configUnsupported, "split.count") { $0.set("split.count", .uint16(3)) }
        for name in ["mamba", "gpt2"] {
            let error = try expect(.configUnsupported, "general.architecture") {
                $0.set("general.architecture", .string(name))
            }
            #expect(error.found == name && error.category == .unsupported)
        }
    }

    @Test("a model lacks no tensor, and has none that is not known")
    func refusesTensors() throws {
        try expect(.modelTensorMissing, tensor: "blk.0.attn_q.weight") {
            $0.tensors.removeAll { $0.name == "blk.0.attn_q.weight" }
        }
        try expect(.modelTensorMissing, tensor: "blk.1.attn_k.weight") {
            $0.set("llama.block_count", .uint32(3))
        }
        try expect(.modelTensorUnexpected, tensor: "blk.1.attn_norm.weight") {
            $0.add("blk.1.attn_norm.weight", [16])
        }
        for name in ["blk.0.ssm_a", "blk.0.attn_q.scale", "blk.00.attn_q.weight", "other"] {
            try expect(.configUnsupported, tensor: Name(name)) { $0.add(name, [16]) }
        }
        try expect(.configShape, tensor: "token_embd.weight") {
            $0.set("llama.embedding_length", .uint32(32))
        }
        try expect(.configShape, tensor: "blk.0.attn_k.weight") {
            $0.change("blk.0.attn_k.weight") { $0.dims = [128, 1] }
        }
    }

    @discardableResult
    private func expect(
        _ code: CheckpointError.Code,
        _ key: String? = nil,
        tensor: Name? = nil,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout GGUFWriter) -> Void
    ) throws -> CheckpointError {
        var writer = GGUFWriter.tinyLlama()
        change(&writer)
        let bytes = writer.bytes()
        let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
            try CheckpointContents(
                gguf: BytesInMemory(bytes, fileName: "t.gguf"),
                options: .init()
            )
        }
        let found = try #require(error, sourceLocation: sourceLocation)
        #expect(found.code == code, "\(found)", sourceLocation: sourceLocation)
        if let key { #expect(found.key == key, sourceLocation: sourceLocation) }
        if let tensor { #expect(found.tensor == tensor, sourceLocation: sourceLocation) }
        return found
    }

    private func open(_ writer: inout GGUFWriter) throws -> CheckpointContents {
        try CheckpointContents(
            gguf: BytesInMemory(writer.bytes(), fileName: "t.gguf"),
            options: .init()
        )
    }

    private func open(_ writer: GGUFWriter) throws -> CheckpointContents {
        var writer = writer
        return try open(&writer)
    }

    private func floats(of tensor: TensorView, _ range: Range<Int>? = nil) throws -> [Float] {
        let range = range ?? 0..<tensor.description.elementCount
        var bytes = [UInt8](repeating: 0, count: range.count * 4)
        try read(tensor.elements, range, into: &bytes)
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            Float(
                bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            )
        }
    }
}

extension GGUFWriter {
    /// Makes the file one of another architecture with the same keys.
    mutating func rename(_ architecture: String) {
        for index in pairs.indices {
            pairs[index].key = pairs[index].key.replacing("llama.", with: "\(architecture).")
        }
        set("general.architecture", .string(architecture))
    }

    /// A sound Gemma 2 of 26 layers.
    static func tinyGemma() -> GGUFWriter {
        var writer = GGUFWriter.tinyLlama()
        writer.rename("gemma2")
        writer.set("gemma2.block_count", .uint32(26))
        writer.set("gemma2.attention.sliding_window", .uint32(32))
        writer.set("gemma2.attn_logit_softcapping", .float32(50))
        writer.set("gemma2.final_logit_softcapping", .float32(30))
        writer.tensors = []
        writer.add("token_embd.weight", [16, 20])
        for layer in 0..<26 {
            for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"] {
                writer.add("blk.\(layer).\(norm).weight", [16])
            }
            for (name, dims) in [
                ("attn_q", [16, 16]), ("attn_k", [16, 8]), ("attn_v", [16, 8]),
                ("attn_output", [16, 16]), ("ffn_gate", [16, 24]), ("ffn_up", [16, 24]),
                ("ffn_down", [24, 16]),
            ] as [(String, [UInt64])] {
                writer.add("blk.\(layer).\(name).weight", dims)
            }
        }
        writer.add("output_norm.weight", [16])
        return writer
    }
}
