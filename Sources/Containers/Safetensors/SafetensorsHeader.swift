public import Files
internal import Tensors

/// The validated header of a safetensors file: what is stored, and where.
public struct SafetensorsHeader: Sendable {
    /// One tensor of the file.
    public struct Entry: Sendable {
        /// Name, element type and shape.
        public let description: TensorDescription
        /// Where its bytes lie in the file; exactly `description.byteCount` of them.
        public let byteRange: Range<Int>
    }

    /// The longest header the format allows, in bytes.
    public static let byteCountLimit = 100_000_000

    /// The tensors in the order of their data.
    public let entries: [Entry]
    /// The members of `__metadata__`, whose values are all strings; empty if there is none.
    public let metadata: JSONObject
    /// Where the data begins: 8 bytes and the header.
    public let dataOffset: Int
    /// The length of the file.
    public let fileByteCount: Int
}
