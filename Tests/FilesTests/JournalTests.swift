import Foundation
import Machine
import TestSupport
import Testing

@testable import Files

@Suite struct JournalTests {
    static let fingerprint: Fingerprint = {
        var fingerprint = Fingerprint(
            toolVersion: "1.2.3",
            options: [.init("format", "nf4"), .init("block-size", "64")]
        )
        fingerprint.addInput(
            name: "model é\n.safetensors",
            byteCount: 12,
            modified: "1700000000.5",
            headerDigest: "abc"
        )
        return fingerprint
    }()

    static func start(
        _ folder: TemporaryFolder,
        resume: Bool = true,
        overwrite: Bool = false,
        fingerprint: Fingerprint = fingerprint
    ) throws -> OutputFolder {
        try OutputFolder(
            at: folder("out"),
            sources: [],
            overwrite: overwrite,
            fingerprint: fingerprint,
            resume: resume,
            workers: WorkerPool(threadCount: 2)
        )
    }

    /// Writes and records a file of `byteCount` bytes that depend on its name.
    static func record(_ name: String, _ byteCount: Int, in output: OutputFolder) throws {
        let file = try output.createFile(name, byteCount: byteCount)
        try randomBytes(of: name, count: byteCount).withRawSpan { try file.write($0, at: 0) }
        try output.finishAndRecord(file)
    }

    @Test func resumesAfterTheFinishedFiles() throws {
        let folder = try TemporaryFolder()
        do {
            let output = try Self.start(folder)
            try Self.record("one", 9_000_000, in: output)
            _ = try output.createFile("two", byteCount: 1000)
            let kept = output.abandon(after: CheckpointError(.outputStopped, "stopped"))
            #expect(kept?.hint?.contains("`resumes`") == true)
        }
        #expect(try folder.listing("out.partial") == ["journal.jsonl", "one"])
        let output = try Self.start(folder)
        #expect(output.resumedFileNames == ["one"])
        try Self.record("two", 1000, in: output)
        try output.commit()
        #expect(try folder.listing("out") == ["SHA256SUMS", "one", "two"])
        #expect(try folder.bytes("out/one") == randomBytes(of: "one", count: 9_000_000))
        #expect(try folder.bytes("out/two") == randomBytes(of: "two", count: 1000))
    }

    @Test func asksBeforeThrowingAStoppedRunAway() throws {
        let folder = try TemporaryFolder()
        try Self.makeBroken(folder)
        // Killed while a third file was in the making: its lock is still there.
        try folder.write("out.partial/lock", Array("4711\nc\n".utf8))
        try folder.write("out.partial/c", [1])
        for _ in 0..<2 {
            let error = try expectError(.outputUnfinished) {
                try Self.start(folder, resume: false)
            }
            #expect(error.message.contains("2 files"))
            #expect(error.hint?.contains("`resumes`") == true)
            try expectError(.outputUnfinished) {
                try OutputFolder.check(folder("out"), sources: [], overwrite: false)
            }
        }
        try OutputFolder.check(folder("out"), sources: [], overwrite: false, resume: true)
        let output = try Self.start(folder)
        #expect(output.resumedFileNames == ["a", "b"])
    }

    @Test func startsAnewWhenForced() throws {
        let folder = try TemporaryFolder()
        try Self.makeBroken(folder)
        try OutputFolder.check(folder("out"), sources: [], overwrite: true)
        let output = try Self.start(folder, resume: false, overwrite: true)
        #expect(output.resumedFileNames == [])
        #expect(try folder.listing("out.partial") == ["journal.jsonl", "lock"])
        output.abandon(after: nil)
        #expect(try folder.listing() == [])
    }

    @Test func namesTheFieldThatDiffers() throws {
        let folder = try TemporaryFolder()
        try Self.makeBroken(folder)
        let before = try folder.listing("out.partial")
        var changed = Fingerprint(
            toolVersion: "1.2.3",
            options: [.init("format", "nf4"), .init("block-size", "128")]
        )
        changed.addInput(name: "x", byteCount: 1, modified: "", headerDigest: "")
        let error = try expectError(.outputFingerprint) {
            try Self.start(folder, fingerprint: changed)
        }
        #expect(error.key == "option.block-size")
        #expect(error.expected == "64")
        #expect(error.found == "128")
        #expect(error.code.category == .badData)
        let shorter = Fingerprint(
            toolVersion: "1.2.3",
            options: [.init("format", "nf4"), .init("block-size", "64")]
        )
        let missing = try expectError(.outputFingerprint) {
            try Self.start(folder, fingerprint: shorter)
        }
        #expect(missing.found == "nothing")
        // The earlier work is still there, and can still be continued.
        #expect(try folder.listing("out.partial") == before)
        #expect(try Self.start(folder).resumedFileNames == ["a", "b"])
    }

    @Test func dropsATornOrFalseLastLineAtEveryLength() throws {
        let folder = try TemporaryFolder()
        try Self.makeBroken(folder)
        let text = try folder.bytes("out.partial/journal.jsonl")
        let lineEnds = text.indices.filter { text[$0] == 0x0A }
        #expect(lineEnds.count == 3)
        for length in 0...text.count {
            let content = JournalContent(Array(text.prefix(length)))
            let wholeLines = lineEnds.count { $0 < length }
            #expect(content?.entries.count ?? -1 == (wholeLines == 0 ? -1 : wholeLines - 1))
            let soundByteCount = wholeLines == 0 ? nil : lineEnds[wholeLines - 1] + 1
            #expect(content?.soundByteCount == soundByteCount)
        }
        // A flipped bit anywhere costs the line that it is in, and those behind.
        for position in stride(from: 0, to: text.count, by: 7) {
            var damaged = text
            damaged[position] ^= 0x04
            let line = lineEnds.count { $0 < position }
            let content = JournalContent(damaged)
            #expect((content?.entries.count ?? -1) <= max(line - 1, -1))
        }
    }

    @Test func appendsAfterTheLastSoundLine() throws {
        let folder = try TemporaryFolder()
        try Self.makeBroken(folder)
        let text = try folder.bytes("out.partial/journal.jsonl")
        try folder.write("out.partial/journal.jsonl", text + Array(#"{"file":"c","si"#.utf8))
        do {
            let output = try Self.start(folder)
            try Self.record("c", 10, in: output)
            output.abandon(after: CheckpointError(.outputStopped, "stopped"))
        }
        let content = try #require(JournalContent(folder.bytes("out.partial/journal.jsonl")))
        #expect(content.entries.map(\.file) == ["a", "b", "c"])
        #expect(try folder.bytes("out.partial/journal.jsonl").starts(with: text))
    }

    @Test func redoesAFileThatIsDamagedMissingOrALink() throws {
        for damage in ["flip", "shorten", "remove", "link"] {
            let folder = try TemporaryFolder()
            try Self.makeBroken(folder)
            var bytes = try folder.bytes("out.partial/a")
            switch damage {
            case "flip": bytes[bytes.count / 2] ^= 1
            case "shorten": bytes.removeLast()
            default: try FileManager.default.removeItem(atPath: folder("out.partial/a"))
            }
            if damage == "flip" || damage == "shorten" {
                try folder.write("out.partial/a", bytes)
            } else if damage == "link" {
                try folder.write("elsewhere", bytes)
                try FileManager.default.createSymbolicLink(
                    atPath: folder("out.partial/a"),
                    withDestinationPath: folder("elsewhere")
                )
            }
            let output = try Self.start(folder)
            #expect(output.resumedFileNames == ["b"], "\(damage)")
            try Self.record("a", 5000, in: output)
            output.abandon(after: CheckpointError(.outputStopped, "stopped"))
            let again = try Self.start(folder)
            #expect(again.resumedFileNames == ["a", "b"], "\(damage)")
            try again.commit()
            #expect(try folder.bytes("out/a") == randomBytes(of: "a", count: 5000), "\(damage)")
        }
    }

    @Test func keepsWorkOnlyIfARetryCanSucceed() throws {
        for (code, isKept) in [
            (CheckpointError.Code.fileIo, true), (.limitMemory, true), (.outputStopped, true),
            (.fileChanged, false), (.numNonFinite, false), (.stHole, false),
        ] {
            let folder = try TemporaryFolder()
            let output = try Self.start(folder)
            try Self.record("a", 10, in: output)
            output.abandon(after: CheckpointError(code, "x"))
            #expect(try folder.listing().isEmpty != isKept, "\(code)")
        }
        // Without a finished file there is nothing to keep, except after being stopped.
        for (code, isKept) in [(CheckpointError.Code.fileIo, false), (.outputStopped, true)] {
            let folder = try TemporaryFolder()
            let output = try Self.start(folder)
            output.abandon(after: CheckpointError(code, "x"))
            #expect(try folder.listing().isEmpty != isKept, "\(code)")
        }
    }

    @Test func keepsTheJournalWhenTheLastStepFails() throws {
        let folder = try TemporaryFolder()
        let output = try Self.start(folder)
        try Self.record("a", 10, in: output)
        try folder.makeFolder("out")
        let error = try expectError(.outputExists) { try output.commit() }
        #expect(try folder.listing("out.partial").contains("journal.jsonl"))
        output.abandon(after: CheckpointError(.fileIo, error.message))
        try FileManager.default.removeItem(atPath: folder("out"))
        let again = try Self.start(folder)
        #expect(again.resumedFileNames == ["a"])
        try again.commit()
        #expect(try folder.listing("out") == ["SHA256SUMS", "a"])
    }

    @Test func refusesNamesThatLeaveTheFolder() {
        for name in [
            "../x", "/a", "a//b", "a/../b", "", ".", "..", "lock", "journal.jsonl", "a\u{1}",
        ] {
            let entry = Journal.Entry(
                file: name,
                byteCount: 1,
                digest: [1].withRawSpan { FileDigest(of: $0) }
            )
            let line = JournalLine.text(of: entry).dropLast()
            #expect(JournalLine.parse(line) == nil, "\(name)")
        }
    }

    /// Leaves a temporary folder with the finished files `a` and `b`.
    static func makeBroken(_ folder: TemporaryFolder) throws {
        let output = try start(folder)
        try record("a", 5000, in: output)
        try record("b", 0, in: output)
        output.abandon(after: CheckpointError(.outputStopped, "stopped"))
    }
}

@Suite struct FileDigestTests {
    @Test func isWhatSha256sumPrints() throws {
        // FIPS 180-2, appendices B.1 and B.3 (a million times "a"), and the empty message.
        let cases: [([UInt8], String)] = [
            ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (
                Array("abc".utf8),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ),
            (
                [UInt8](repeating: 0x61, count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
        for (bytes, expected) in cases {
            #expect(bytes.withRawSpan { FileDigest(of: $0).hexadecimal } == expected)
            let source = BytesInMemory(bytes, fileName: "x")
            #expect(try FileDigest(of: source).hexadecimal == expected)
            #expect(FileDigest(hexadecimal: expected.uppercased())?.hexadecimal == expected)
        }
        #expect(FileDigest(hexadecimal: "00") == nil)
        #expect(FileDigest(hexadecimal: String(repeating: "g", count: 64)) == nil)
    }
}
