import TestSupport
import Testing

@testable import Files

@Suite struct ChecksumFileTests {
    private static let first = String(repeating: "0a", count: 32)
    private static let second = String(repeating: "f1", count: 32)
    private static let text =
        "# a comment\n\(first)  model.safetensors\n\\\(second) *sub/a\\\\b.json\n"

    @Test func roundTripsNames() throws {
        let digest = [1].withRawSpan { FileDigest(of: $0) }
        let sums = ChecksumFile(["a b": digest, "ü/x": digest, #"back\slash"#: digest])
        let read = try ChecksumFile(parsing: sums.text)
        #expect(read == sums)
        #expect(read.isMarked)
    }

    @Test func readsTheFormsOfOthers() throws {
        let digest = [1].withRawSpan { FileDigest(of: $0) }
        let text = "# comment\n\(digest.hexadecimal.uppercased()) *model.bin\n"
        let sums = try ChecksumFile(parsing: Array(text.utf8))
        #expect(sums.entries == [.init(path: "model.bin", digest: digest)])
        #expect(!sums.isMarked)
    }

    @Test(arguments: ["abc  x", String(repeating: "0", count: 64), "x"])
    func refusesOtherLines(line: String) throws {
        try expectError(.fileChecksumList) { try ChecksumFile(parsing: Array(line.utf8)) }
    }

    @Test func readsTheFormsOfTheReference() throws {
        let file = try ChecksumFile(parsing: Array(Self.text.utf8))
        #expect(file.entries.map(\.path) == ["model.safetensors", "sub/a\\b.json"])
        #expect(file.entries.map(\.digest.hexadecimal) == [Self.first, Self.second])
    }

    @Test func refusesEveryBeginning() throws {
        let bytes = Array(Self.text.utf8)
        // The name of a file may be a part of another's: from its first byte on, a line is whole.
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        func isWhole(_ length: Int) -> Bool {
            var rest = length
            for line in lines {
                guard rest > line.count else {
                    let prefix = line.first == UInt8(ascii: "\\") ? 67 : 66
                    return rest == 0 || line.first == UInt8(ascii: "#") || rest > prefix
                }
                rest -= line.count + 1
            }
            return true
        }
        try expectErrors([.fileChecksumList], atEveryLengthOf: bytes, unless: isWhole) {
            _ = try ChecksumFile(parsing: $0)
        }
    }

    @Test func namesTheLine() throws {
        let lines = ["\(Self.first)  a", "\(Self.first.dropLast())g  b", "\(Self.first) -b"]
        for wrong in lines.dropFirst() {
            let error = try expectError(.fileChecksumList) {
                try ChecksumFile(parsing: Array("\(lines[0])\n\(wrong)\n".utf8))
            }
            #expect(error.message.contains("line 2"))
        }
    }
}
