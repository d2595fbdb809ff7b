internal import CheckpointIO
internal import Foundation

/// Texts that commands are given.
enum InputText {
    private static let byteCountLimit = 256 << 20

    /// Reads a text file.
    /// - Throws: `file.…`; `text.encoding` with the place of the first byte that is no UTF-8.
    static func file(_ path: String) throws(CheckpointError) -> String {
        let file = try InputFile(at: path)
        return try valid(file.wholeText(limit: byteCountLimit), file.fileName)
    }

    /// Reads all of standard input.
    /// - Throws: `text.encoding`.
    static func standardInput() throws(CheckpointError) -> String {
        try valid([UInt8](FileHandle.standardInput.readDataToEndOfFile()), "standard input")
    }

    private static func valid(
        _ bytes: [UInt8],
        _ name: String
    ) throws(CheckpointError) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) {
            offset += UTF8.width(scalar)
        }
        throw CheckpointError(
            .textEncoding,
            "the text is not UTF-8",
            file: name,
            offset: UInt64(offset)
        )
    }
}
