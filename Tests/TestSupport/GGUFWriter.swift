/// Writes GGUF files byte by byte, sound or not.
package struct GGUFWriter {
    package enum Value {
        case uint8(UInt8)
        case int8(Int8)
        case uint16(UInt16)
        case uint32(UInt32)
        case int32(Int32)
        case uint64(UInt64)
        case float32(Float)
        case bool(UInt8)
        case string(String)
        case strings([String])
        case floats([Float])
        case int32s([Int32])
        /// A type and the bytes that stand for the value.
        case raw(UInt32, [UInt8])
    }

    package struct Tensor {
        package var name: String
        /// Innermost first, as the file has them.
        package var dims: [UInt64]
        package var type: UInt32
        package var data: [UInt8]
        package var offset: UInt64?
        package var rank: UInt32?

        /// Describes a tensor as it should be.
        package init(name: String, dims: [UInt64], type: UInt32, data: [UInt8]) {
            self.name = name
            self.dims = dims
            self.type = type
            self.data = data
        }
    }

    package var magic = Array("GGUF".utf8)
    package var version: UInt32 = 3
    package var tensorCount: UInt64?
    package var pairCount: UInt64?
    package var pairs: [(key: String, value: Value)] = []
    package var tensors: [Tensor] = []
    package var alignment = 32
    package var tail: [UInt8] = []

    /// Places of fields in the file made last: a key's own, and `key.type`, `key.value`; a tensor's
    /// own, and `name.dims`, `name.type`, `name.offset`.
    package private(set) var places: [String: UInt64] = [:]

    /// Makes a file without anything in it.
    package init() {}

    /// Replaces the value of a key, or adds it.
    package mutating func set(_ key: String, _ value: Value) {
        if let index = pairs.firstIndex(where: { $0.key == key }) {
            pairs[index].value = value
        } else {
            pairs.append((key, value))
        }
    }

    package mutating func remove(_ key: String) {
        pairs.removeAll { $0.key == key }
    }

    /// Changes the tensor with a name.
    package mutating func change(_ name: String, _ body: (inout Tensor) -> Void) {
        for index in tensors.indices where tensors[index].name == name { body(&tensors[index]) }
    }

    /// Makes the file.
    package mutating func bytes() -> [UInt8] {
        places = [:]
        var out = magic + little(version)
        out += little(tensorCount ?? UInt64(tensors.count))
        out += little(pairCount ?? UInt64(pairs.count))
        for (key, value) in pairs {
            places[key] = UInt64(out.count)
            out += text(key)
            places[key + ".type"] = UInt64(out.count)
            let (type, payload) = encoded(value)
            out += little(type)
            places[key + ".value"] = UInt64(out.count)
            out += payload
        }
        var data: [UInt8] = []
        for tensor in tensors {
            places[tensor.name] = UInt64(out.count)
            out += text(tensor.name)
            places[tensor.name + ".dims"] = UInt64(out.count)
            out += little(tensor.rank ?? UInt32(tensor.dims.count))
            for length in tensor.dims { out += little(length) }
            places[tensor.name + ".type"] = UInt64(out.count)
            out += little(tensor.type)
            places[tensor.name + ".offset"] = UInt64(out.count)
            out += little(tensor.offset ?? UInt64(data.count))
            data += tensor.data
            data += padding(data.count)
        }
        out += padding(out.count)
        return out + data + tail
    }

    private func padding(_ count: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: (alignment - count % alignment) % alignment)
    }

    private func encoded(_ value: Value) -> (UInt32, [UInt8]) {
        switch value {
        case .uint8(let number): (0, [number])
        case .int8(let number): (1, [UInt8(bitPattern: number)])
        case .uint16(let number): (2, little(number))
        case .uint32(let number): (4, little(number))
        case .int32(let number): (5, little(number))
        case .uint64(let number): (10, little(number))
        case .float32(let number): (6, little(number.bitPattern))
        case .bool(let byte): (7, [byte])
        case .string(let string): (8, text(string))
        case .strings(let strings): (9, array(8, strings.count) + strings.flatMap(text))
        case .floats(let numbers):
            (9, array(6, numbers.count) + numbers.flatMap { little($0.bitPattern) })
        case .int32s(let numbers): (9, array(5, numbers.count) + numbers.flatMap(little))
        case .raw(let type, let bytes): (type, bytes)
        }
    }

    private func array(_ type: UInt32, _ count: Int) -> [UInt8] {
        little(type) + little(UInt64(count))
    }

    private func text(_ string: String) -> [UInt8] {
        little(UInt64(string.utf8.count)) + Array(string.utf8)
    }
}

/// The bytes of a number, lowest first.
package func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}

extension GGUFWriter {
    /// A sound llama of one layer: 16 channels, 2 heads, 1 key and value head, 20 tokens.
    package static func tinyLlama() -> GGUFWriter {
        var writer = GGUFWriter()
        let tokens = (0..<20).map {
            $0 == 0 ? "<unk>" : $0 == 1 ? "<s>" : $0 == 2 ? "</s>" : "t\($0)"
        }
        writer.pairs = [
            ("general.architecture", .string("llama")),
            ("llama.block_count", .uint32(1)),
            ("llama.context_length", .uint32(64)),
            ("llama.embedding_length", .uint32(16)),
            ("llama.feed_forward_length", .uint32(24)),
            ("llama.attention.head_count", .uint32(2)),
            ("llama.attention.head_count_kv", .uint32(1)),
            ("llama.attention.layer_norm_rms_epsilon", .float32(1e-5)),
            ("llama.vocab_size", .uint32(20)),
            ("tokenizer.ggml.model", .string("llama")),
            ("tokenizer.ggml.tokens", .strings(tokens)),
            ("tokenizer.ggml.scores", .floats((0..<20).map { -Float($0) })),
            ("tokenizer.ggml.token_type", .int32s((0..<20).map { $0 == 0 ? 2 : $0 < 3 ? 3 : 1 })),
        ]
        writer.add("token_embd.weight", [16, 20])
        writer.add("blk.0.attn_norm.weight", [16])
        writer.add("blk.0.attn_q.weight", [16, 16])
        writer.add("blk.0.attn_k.weight", [16, 8])
        writer.add("blk.0.attn_v.weight", [16, 8])
        writer.add("blk.0.attn_output.weight", [16, 16])
        writer.add("blk.0.ffn_norm.weight", [16])
        writer.add("blk.0.ffn_gate.weight", [16, 24])
        writer.add("blk.0.ffn_up.weight", [16, 24])
        writer.add("blk.0.ffn_down.weight", [24, 16])
        writer.add("output_norm.weight", [16])
        return writer
    }

    /// Adds an F32 tensor whose values count up: element `i` of tensor `t` is `1000 t + i`.
    package mutating func add(_ name: String, _ dims: [UInt64]) {
        let count = Int(dims.reduce(1, *))
        let first = tensors.count * 1000
        let data = (0..<count).flatMap { little(Float(first + $0).bitPattern) }
        tensors.append(Tensor(name: name, dims: dims, type: 0, data: data))
    }

    /// The same llama with 32 channels everywhere, its matrices packed as Q8_0.
    package static func packedLlama() -> GGUFWriter {
        var writer = tinyLlama()
        writer.set("llama.embedding_length", .uint32(32))
        writer.set("llama.feed_forward_length", .uint32(32))
        let tensors = writer.tensors
        writer.tensors = []
        for tensor in tensors {
            guard tensor.dims.count == 2 else {
                writer.add(tensor.name, [32])
                continue
            }
            // Twice as wide as before; the rows stay the tokens', or follow the channels.
            let rows: UInt64 =
                tensor.name == "token_embd.weight"
                ? 20
                : tensor.name.hasSuffix("k.weight") || tensor.name.hasSuffix("v.weight") ? 16 : 32
            // A block is a scale of 2^-6 in half precision and 32 signed bytes.
            let data = (0..<Int(rows)).flatMap { row in
                little(UInt16(0x2400))
                    + (0..<32).map { UInt8(truncatingIfNeeded: 37 * row + 11 * $0) }
            }
            writer.tensors.append(
                Tensor(name: tensor.name, dims: [32, rows], type: 8, data: data)
            )
        }
        return writer
    }
}
