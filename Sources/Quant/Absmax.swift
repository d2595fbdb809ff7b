/// The scales of a quantized matrix.
public enum Absmax: Sendable, Hashable {
    /// As they are, one for each block or row.
    case float32([Float])
    /// Quantized to 8 bits themselves.
    case doubleQuantized(DoubleQuantizedAbsmax)

    /// The number of scales.
    public var count: Int {
        switch self {
        case .float32(let values): values.count
        case .doubleQuantized(let nested): nested.codes.count
        }
    }

    /// The scales in float32, as they are multiplied with.
    public var values: [Float] {
        switch self {
        case .float32(let values): values
        case .doubleQuantized(let nested): nested.restored()
        }
    }
}
