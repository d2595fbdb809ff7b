/// `SHA256SUMS`: the digest of every file of an output, in the form that `sha256sum -c` reads.
///
/// A line is 64 hexadecimal digits, two spaces (or a space and `*`) and the path below the folder;
/// where the path holds a backslash the line begins with one and the path has it twice, as GNU
/// coreutils write it. The first line, a comment, marks a folder as made by this library: it is
/// replaced only while every file in it stands here with the digest that it has.
public struct ChecksumFile: Sendable, Hashable {
    /// The name in the folder.
    public static let fileName = "SHA256SUMS"
    /// The first line of those that this library writes.
    static let mark = "# Written by swift-qlora; check with: sha256sum -c SHA256SUMS"
    /// The most that is read.
    package static let byteCountLimit = 16 << 20

    /// A file and its digest.
    public struct Entry: Sendable, Hashable {
        /// The path below the folder.
        public let path: String
        /// The digest.
        public let digest: FileDigest
    }

    /// The files, in the order of the lines.
    public let entries: [Entry]
    /// Whether this library wrote it.
    let isMarked: Bool

    /// Lists files in the order of their paths' bytes.
    init(_ digests: [String: FileDigest]) {
        entries = digests.map { Entry(path: $0.key, digest: $0.value) }
            .sorted { Name($0.path) < Name($1.path) }
        isMarked = true
    }

    /// Reads the text of such a file, whoever wrote it.
    /// - Throws: `file.checksumList` with the number of the first line that is none of this form.
    public init(parsing bytes: [UInt8]) throws(CheckpointError) {
        var entries: [Entry] = []
        for (index, line) in bytes.split(separator: 0x0A).enumerated() {
            guard line.first != UInt8(ascii: "#") else { continue }
            guard let entry = Self.entry(line) else {
                throw CheckpointError(
                    .fileChecksumList,
                    "line \(index + 1) is not a SHA-256 and a file name",
                    file: Self.fileName
                )
            }
            entries.append(entry)
        }
        self.entries = entries
        isMarked = bytes.starts(with: Array((Self.mark + "\n").utf8))
    }

    /// The bytes of the file.
    var text: [UInt8] {
        let lines = entries.map { entry in
            let isEscaped = entry.path.utf8.contains(UInt8(ascii: "\\"))
            let path =
                isEscaped
                ? entry.path.split(separator: "\\", omittingEmptySubsequences: false)
                    .joined(separator: "\\\\") : entry.path
            return (isEscaped ? "\\" : "") + entry.digest.hexadecimal + "  " + path
        }
        return Array(([Self.mark] + lines).map { $0 + "\n" }.joined().utf8)
    }

    private static func entry(_ line: ArraySlice<UInt8>) -> Entry? {
        var line = line
        let isEscaped = line.first == UInt8(ascii: "\\")
        if isEscaped { line.removeFirst() }
        guard line.count > 66, line[line.startIndex + 64] == UInt8(ascii: " "),
            [UInt8(ascii: " "), UInt8(ascii: "*")].contains(line[line.startIndex + 65]),
            let digest = FileDigest(hexadecimal: String(decoding: line.prefix(64), as: UTF8.self))
        else { return nil }
        var path = String(decoding: line.dropFirst(66), as: UTF8.self)
        if isEscaped {
            path = path.split(separator: "\\\\", omittingEmptySubsequences: false)
                .joined(separator: "\\")
        }
        return Entry(path: path, digest: digest)
    }
}
