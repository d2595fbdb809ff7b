/// The floating-point types that weights come in, named as Python and quantization states name them.
public enum FloatDType: String, Sendable, Hashable, CaseIterable {
    case float32
    case bfloat16
    case float16

    /// The element type of files; nil for every other one.
    public init?(_ dtype: DType) {
        switch dtype {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        default: return nil
        }
    }

    /// The element type of files.
    public var dtype: DType {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        }
    }

    /// Bytes of one element.
    public var byteCount: Int { self == .float32 ? 4 : 2 }
}
