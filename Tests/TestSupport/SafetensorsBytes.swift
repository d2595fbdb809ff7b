import CheckpointIO

/// The bytes of a safetensors file, put together by hand: also such as no writer would make.
public struct SafetensorsBytes {
    private var header: [String] = []
    private var data: [UInt8] = []

    /// Makes a file without tensors.
    public init() {}

    /// Adds a tensor behind the others.
    public mutating func add(_ name: String, _ dtype: String, _ shape: [Int], _ bytes: [UInt8]) {
        let sizes = shape.map(String.init).joined(separator: ",")
        let end = data.count + bytes.count
        header.append(
            "\(JSONValue.string(name).text()):{\"dtype\":\"\(dtype)\",\"shape\":[\(sizes)],"
                + "\"data_offsets\":[\(data.count),\(end)]}"
        )
        data += bytes
    }

    /// Adds a float32 tensor of normal-looking numbers.
    public mutating func addFloats(_ name: String, _ shape: [Int], seed: UInt64 = 1) {
        var generator = SeededGenerator(seed: seed)
        let count = shape.reduce(1, *)
        let values = (0..<count).map { _ in
            // The sum of four uniform numbers.
            (0..<4).reduce(Float(0)) { sum, _ in
                sum + Float.random(in: -0.02...0.02, using: &generator)
            }
        }
        add(name, "F32", shape, values.withUnsafeBytes(Array.init))
    }

    /// The whole file.
    public var bytes: [UInt8] {
        var text = "{" + header.joined(separator: ",") + "}"
        while text.utf8.count % 8 != 0 { text += " " }
        let length = UInt64(text.utf8.count).littleEndian
        return withUnsafeBytes(of: length, Array.init) + Array(text.utf8) + data
    }
}
