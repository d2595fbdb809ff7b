public import Foundation
import Testing

/// One case of the golden data of adapted layers, made by PEFT.
public struct LayerCase: Sendable, CustomStringConvertible {
    /// The name, first part of the names of its tensors.
    public let id: String
    /// What the JSON file says of it.
    public let fields: Fields
    private let tensors: [String: GoldenTensor]

    /// The members that tests read.
    public struct Fields: Sendable {
        /// `"f32"`, `"bf16"` or `"f16"`: the type of the base.
        public let dtype: String
        /// The type of the layer.
        public let kind: String
        /// Of a quantized base, else nil.
        public let format: String?
        /// The offset of nested scales.
        public let nestedOffset: Double?
        /// Whether scales are nested.
        public let isNested: Bool
        /// The padding row of an embedding.
        public let paddingIndex: Int?
        /// A factor of an embedding's outputs.
        public let embedScale: Double
        /// Stride, padding, dilation, kernel size and groups of a convolution.
        public let convolution: [String: [Int]]
        /// The padding of a convolution by name.
        public let paddingName: String?
        /// The adapters in their order.
        public let adapters: [Adapter]
    }

    /// The settings of one adapter.
    public struct Adapter: Sendable {
        /// `alpha / r`, or with rsLoRA `alpha / √r`.
        public let scaling: Double
        /// The probability of dropout.
        public let dropout: Double
    }

    /// Returns the cases of a file below `Golden/peft/layers`, or of the folder that
    /// `QLORA_GOLDEN_LAYERS` names.
    public static func all(_ name: String) throws -> [LayerCase] {
        let cases = try #require(try object(name)["cases"] as? [[String: Any]])
        let tensors = try tensors(name)
        return try cases.map { members in
            let id = try #require(members["id"] as? String)
            let own = tensors.filter { $0.key.hasPrefix(id + ".") }
            return LayerCase(
                id: id,
                fields: try fields(members),
                tensors: Dictionary(
                    uniqueKeysWithValues: own.map {
                        (String($0.key.dropFirst(id.count + 1)), $0.value)
                    }
                )
            )
        }
    }

    /// Returns the members of a JSON file of that folder.
    public static func object(_ name: String) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(bytes(name)))
        return try #require(json as? [String: Any])
    }

    /// Returns the text of a JSON file of that folder.
    public static func bytes(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: folder().appendingPathComponent(name + ".json")))
    }

    /// Returns the tensors of a file of that folder.
    public static func tensors(_ name: String) throws -> [String: GoldenTensor] {
        try Golden.tensors(at: folder().appendingPathComponent(name + ".safetensors"))
    }

    private static func folder() throws -> URL {
        try ProcessInfo.processInfo.environment["QLORA_GOLDEN_LAYERS"]
            .map { URL(fileURLWithPath: $0) } ?? Golden.url("peft/layers")
    }

    private static func fields(_ members: [String: Any]) throws -> Fields {
        let adapters = try #require(members["adapters"] as? [[String: Any]])
        var convolution: [String: [Int]] = [:]
        for key in ["kernel_size", "stride", "padding", "dilation", "groups"] {
            if let number = members[key] as? Int { convolution[key] = [number] }
            if let numbers = members[key] as? [Int] { convolution[key] = numbers }
        }
        return Fields(
            dtype: (members["dtype"] ?? members["dt"]) as? String ?? "f32",
            kind: (members["kind"] ?? members["layer"]) as? String ?? "",
            format: members["format"] as? String,
            nestedOffset: members["nested_offset"] as? Double,
            isNested: members["nested"] as? Bool ?? false,
            paddingIndex: members["padding_idx"] as? Int,
            embedScale: members["embed_scale"] as? Double ?? 1,
            convolution: convolution,
            paddingName: members["padding"] as? String,
            adapters: try adapters.map {
                Adapter(
                    scaling: try #require($0["scaling"] as? Double),
                    dropout: $0["lora_dropout"] as? Double ?? 0
                )
            }
        )
    }

    /// The name.
    public var description: String { id }

    /// A tensor, if the case has it.
    public func tensor(_ name: String) -> GoldenTensor? { tensors[name] }

    /// The numbers of a float tensor, widened.
    public func numbers(_ name: String) throws -> [Float] {
        try #require(tensors[name], "\(id).\(name)").widened
    }

    /// The shape of a tensor.
    public func shape(_ name: String) throws -> [Int] {
        try #require(tensors[name], "\(id).\(name)").shape
    }
}

extension GoldenTensor {
    /// The elements of a float tensor of any type, widened to float32.
    public var widened: [Float] {
        switch dtype {
        case "F32": floats
        case "BF16":
            halves.map { Float(bitPattern: UInt32($0) << 16) }
        case "F16":
            halves.map { bits in
                let magnitude = UInt32(bits & 0x7FFF)
                let value =
                    magnitude >> 10 == 0
                    ? Float(magnitude) * 0x1p-24
                    : Float(bitPattern: magnitude << 13 + 112 << 23)
                return bits >> 15 == 0 ? value : -value
            }
        default: []
        }
    }

    private var halves: [UInt16] {
        stride(from: 0, to: bytes.count, by: 2).map {
            UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
        }
    }
}
