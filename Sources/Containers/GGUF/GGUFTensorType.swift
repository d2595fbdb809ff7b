/// An element type of a GGUF tensor that can be read.
///
/// The names and numbers are those of the format. Everything but the three float types is packed:
/// a row is a run of blocks, each with its own scale.
package enum GGUFTensorType: UInt32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2_K = 10
    case q3_K = 11
    case q4_K = 12
    case q5_K = 13
    case q6_K = 14
    case bf16 = 30

    /// The name as the format's tools print it, for example `Q4_K`.
    package var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q2_K: "Q2_K"
        case .q3_K: "Q3_K"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        }
    }

    /// The number of elements in one block: 1, 32, or 256 for the K types.
    package var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: 256
        }
    }

    /// The number of bytes one block fills.
    package var blockByteCount: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_K: 84
        case .q3_K: 110
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        }
    }

    /// Whether the elements are packed in blocks that share a scale.
    package var isPacked: Bool { blockLength > 1 }
}

extension GGUFTensorType {
    /// The names of types that exist in the format, but are not read.
    static func unsupportedName(_ id: UInt32) -> String? {
        switch id {
        case 9: "Q8_1"
        case 15: "Q8_K"
        case 16: "IQ2_XXS"
        case 17: "IQ2_XS"
        case 18: "IQ3_XXS"
        case 19: "IQ1_S"
        case 20: "IQ4_NL"
        case 21: "IQ3_S"
        case 22: "IQ2_S"
        case 23: "IQ4_XS"
        case 24: "I8"
        case 25: "I16"
        case 26: "I32"
        case 27: "I64"
        case 28: "F64"
        case 29: "IQ1_M"
        case 34: "TQ1_0"
        case 35: "TQ2_0"
        case 39: "MXFP4"
        case 40: "NVFP4"
        default: nil
        }
    }

    /// Why a number that names no type may still be met.
    static func isRemoved(_ id: UInt32) -> Bool {
        switch id {
        case 4, 5, 31...33, 36...38: true
        default: false
        }
    }
}
