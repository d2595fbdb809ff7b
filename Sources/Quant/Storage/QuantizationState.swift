internal import CheckpointIO
internal import Tensors

/// The JSON text beside a 4-bit weight that says how it is quantized (bitsandbytes 0.50 layout,
/// `quant_state.bitsandbytes__nf4` or `…__fp4`).
struct QuantizationState: Hashable {
    var format: QuantizationFormat
    var blockSize: BlockSize
    /// The type of the weight before quantization.
    var dtype: FloatDType
    var rowCount: Int
    var columnCount: Int
    /// The mean of nested scales; nil if they are not nested.
    var nestedOffset: Float?

    /// The most bytes that a state is read of.
    static let byteCountLimit = 64 << 10

    /// The text, keys in the order and spelling of the reference.
    var text: [UInt8] {
        var json: JSONObject = [
            "quant_type": .string(format.rawValue),
            "blocksize": .integer(blockSize.rawValue),
            "dtype": .string(dtype.rawValue),
            "shape": [.integer(rowCount), .integer(columnCount)],
        ]
        if let nestedOffset {
            json["nested_blocksize"] = .integer(DoubleQuantizedAbsmax.blockSize)
            json["nested_dtype"] = "float32"
            json["nested_offset"] = .double(Double(nestedOffset))
        }
        return Array(json.text(.spaced).utf8)
    }

    /// The most bytes the text can have with any offset.
    var maximumByteCount: Int {
        // Sign, 17 digits, point and exponent of a double: `-1.7976931348623157e+308`.
        text.count + (nestedOffset == nil ? 0 : 24)
    }
}
