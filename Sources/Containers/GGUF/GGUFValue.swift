package import Files

/// A value type of GGUF metadata, with the number the format gives it.
package enum GGUFValueType: UInt32, Sendable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// Bytes of one value, or nil where the length is part of the value.
    var fixedByteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The fewest bytes one value can fill.
    var smallestByteCount: Int {
        switch self {
        case .string: 8
        case .array: 12
        default: fixedByteCount ?? 1
        }
    }
}

/// One value of GGUF metadata.
///
/// Texts and arrays stay in the file: they are checked when the file is opened, and read when they
/// are asked for, so that a vocabulary costs no memory until somebody wants it.
package enum GGUFValue: Hashable, Sendable {
    case unsigned(UInt64, GGUFValueType)
    case signed(Int64, GGUFValueType)
    case float(Double, GGUFValueType)
    case bool(Bool)
    /// UTF-8 text, at the bytes of the file given.
    case string(bytes: Range<Int>)
    /// `count` items of one type, which fill the bytes of the file given.
    case array(of: GGUFValueType, count: Int, bytes: Range<Int>)

    /// The type as the file states it.
    package var type: GGUFValueType {
        switch self {
        case .unsigned(_, let type), .signed(_, let type), .float(_, let type): type
        case .bool: .bool
        case .string: .string
        case .array: .array
        }
    }

    /// What an error calls it, for example `uint32` or `array of string`.
    var typeName: String {
        if case .array(let item, _, _) = self { return "array of \(item)" }
        return "\(type)"
    }
}

/// One key of GGUF metadata with its value and places.
package struct GGUFEntry: Hashable, Sendable {
    /// The key, for example `general.architecture`.
    package let key: Name
    /// The value, or where it is.
    package let value: GGUFValue
    /// The byte of the file at which the value begins, after its type.
    package let valueOffset: Int
}
