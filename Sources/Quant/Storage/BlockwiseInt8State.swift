internal import CheckpointIO
internal import Tensors

/// The JSON text beside a weight in 8-bit blocks; this package's own layout.
///
/// `P.weight` holds one code of the signed dynamic map for each element, U8 `[N, K]`;
/// `P.weight.int8_blockwise_scales` one scale for each block of the flattened weight, F32; and
/// `P.weight.int8_blockwise_state` this text, U8:
/// `{"version": 1, "blocksize": 64, "dtype": "bfloat16", "shape": [N, K]}`.
struct BlockwiseInt8State: Hashable {
    /// The version of the layout.
    static let version = 1

    var blockSize: BlockSize
    /// The type of the weight before quantization.
    var dtype: FloatDType
    var rowCount: Int
    var columnCount: Int

    /// The text.
    var text: [UInt8] {
        let json: JSONObject = [
            "version": .integer(Self.version),
            "blocksize": .integer(blockSize.rawValue),
            "dtype": .string(dtype.rawValue),
            "shape": [.integer(rowCount), .integer(columnCount)],
        ]
        return Array(json.text(.spaced).utf8)
    }
}
