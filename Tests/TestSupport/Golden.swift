public import Foundation
import Testing

/// The golden data: files made by the reference implementations, kept with the script that made
/// them.
public enum Golden {
    /// Returns the place of a file or folder below `Golden`, for example `tiny.gguf`.
    public static func url(_ name: String) throws -> URL {
        let folder = try #require(Bundle.module.url(forResource: "Golden", withExtension: nil))
        return folder.appendingPathComponent(name)
    }

    /// Returns the bytes of a file below `Golden`.
    public static func bytes(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: url(name)))
    }

    /// Returns the members of a JSON file below `Golden`.
    public static func object(_ name: String) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(contentsOf: url(name)))
        return try #require(value as? [String: Any])
    }

    /// Returns the data section of a safetensors file below `Golden`, cut by tensor.
    ///
    /// Reads as little of the format as sound files need, so that it can be the yardstick of the
    /// library's reader.
    public static func tensors(_ name: String) throws -> [String: GoldenTensor] {
        try tensors(at: url(name))
    }

    /// Returns the same of a file anywhere.
    public static func tensors(at url: URL) throws -> [String: GoldenTensor] {
        let file = try Data(contentsOf: url)
        let headerCount = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: file[8..<8 + headerCount])
        let members = try #require(header as? [String: Any])
        var tensors: [String: GoldenTensor] = [:]
        for (name, member) in members where name != "__metadata__" {
            let fields = try #require(member as? [String: Any])
            let offsets = try #require(fields["data_offsets"] as? [Int])
            let start = 8 + headerCount
            tensors[name] = GoldenTensor(
                dtype: try #require(fields["dtype"] as? String),
                shape: try #require(fields["shape"] as? [Int]),
                bytes: [UInt8](file[start + offsets[0]..<start + offsets[1]])
            )
        }
        return tensors
    }
}

/// One tensor of the golden data.
public struct GoldenTensor: Sendable {
    /// The element type, as safetensors names it.
    public let dtype: String
    /// The lengths of the dimensions, outermost first.
    public let shape: [Int]
    /// The elements, little-endian.
    public let bytes: [UInt8]

    /// The elements as 32-bit words, if they are that wide.
    public var words: [UInt32] {
        stride(from: 0, to: bytes.count, by: 4).map { place in
            bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// The elements of an I64 tensor.
    public var integers: [Int] {
        stride(from: 0, to: bytes.count, by: 8).map { place in
            bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
    }

    /// The elements of an F32 tensor.
    public var floats: [Float] { words.map(Float.init(bitPattern:)) }
}
