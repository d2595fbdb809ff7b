import Foundation
import TestSupport
import Testing

@testable import Files

/// Files that an output did not make are never lost.
@Suite struct OutputOwnershipTests {
    /// A folder with the whole output `out`.
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        try output.writeFile("config.json", Array("{}".utf8))
        try output.writeFile("1_Pooling/config.json", Array("[]".utf8))
        try output.commit()
    }

    private func force() throws -> OutputFolder {
        try OutputFolder(at: folder("out"), sources: [], overwrite: true)
    }

    /// All files below the folder, with their content.
    private func everything() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: folder(path), isDirectory: &isFolder)
            files[path] = isFolder.boolValue ? [] : try folder.bytes(path)
        }
        return files
    }

    @Test func writesDigestsThatSha256sumReads() throws {
        #expect(
            try folder.listing("out") == ["1_Pooling", "SHA256SUMS", "config.json"]
        )
        let text = String(decoding: try folder.bytes("out/SHA256SUMS"), as: UTF8.self)
        #expect(
            text == """
                # Written by swift-qlora; check with: sha256sum -c SHA256SUMS
                4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945  \
                1_Pooling/config.json
                44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  config.json

                """
        )
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"]
        process.currentDirectoryURL = URL(fileURLWithPath: folder("out"))
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func replacesAnUnchangedOutput() throws {
        let output = try force()
        try output.writeFile("new", Array("new".utf8))
        #expect(try output.commit() == [])
        #expect(try folder.listing("out") == ["SHA256SUMS", "new"])
        #expect(try folder.listing() == ["out"])
    }

    @Test(arguments: [
        "out/notes.txt", "out/.hidden", "out/1_Pooling/train.jsonl", "out/lock", "out/a/b",
    ])
    func refusesToReplaceAForeignFile(path: String) throws {
        if path == "out/a/b" { try folder.makeFolder("out/a") }
        try folder.write(path, [1])
        let before = try everything()
        let error = try expectError(.outputExists) { try force() }
        let inner = path.dropFirst(4)
        #expect(error.message.contains("\"\(inner == "a/b" ? "a" : inner)\""))
        #expect(try everything() == before)
    }

    @Test(arguments: ["config.json", "1_Pooling/config.json", "SHA256SUMS"])
    func refusesToReplaceAChangedFile(path: String) throws {
        var bytes = try folder.bytes("out/" + path)
        bytes[0] ^= 1
        try folder.write("out/" + path, bytes)
        let before = try everything()
        try expectError(.outputExists) { try force() }
        #expect(try everything() == before)
    }

    @Test func refusesAFolderWithDigestsOfSomebodyElse() throws {
        let lines = try folder.bytes("out/SHA256SUMS").split(separator: 0x0A).dropFirst()
        try folder.write("out/SHA256SUMS", lines.flatMap { $0 + [0x0A] })
        try expectError(.outputExists) { try force() }
    }

    @Test(arguments: ["out/notes.txt", "out/config.json"])
    func keepsWhatAppearsMeanwhile(path: String) throws {
        let output = try force()
        try output.writeFile("new", Array("new".utf8))
        try folder.write(path, [7])
        try expectError(.outputExists) { try output.commit() }
        output.abandon(after: nil)
        #expect(try folder.bytes(path) == [7])
        #expect(try folder.listing() == ["out"])
    }

    @Test func keepsAFolderThatTookThePlaceOfTheOneToBeReplaced() throws {
        let output = try force()
        try FileManager.default.moveItem(atPath: folder("out"), toPath: folder("moved"))
        try folder.makeFolder("out")
        try folder.write("out/precious", [7])
        try expectError(.outputExists) { try output.commit() }
        output.abandon(after: nil)
        #expect(try folder.bytes("out/precious") == [7])
    }

    @Test func keepsWhatSomebodyPutIntoTheTemporaryFolder() throws {
        let output = try OutputFolder(at: folder("two"), sources: [])
        try output.writeFile("a", Array("a".utf8))
        try folder.write("two.partial/notes.txt", [7])
        output.abandon(after: nil)
        #expect(try folder.listing("two.partial") == ["notes.txt"])
        for overwrite in [false, true] {
            let error = try expectError(.outputExists) {
                try OutputFolder(at: folder("two"), sources: [], overwrite: overwrite)
            }
            #expect(error.message.contains("notes.txt"))
            try expectError(.outputExists) {
                try OutputFolder.check(folder("two"), sources: [], overwrite: overwrite)
            }
        }
        #expect(try folder.bytes("two.partial/notes.txt") == [7])
    }

    @Test func keepsAFolderThatOnlyLooksLikeATemporaryOne() throws {
        try folder.makeFolder("two.partial")
        try folder.write("two.partial/model.safetensors", [7])
        let before = try everything()
        try expectError(.outputExists) {
            try OutputFolder(at: folder("two"), sources: [], overwrite: true)
        }
        #expect(try everything() == before)
    }
}
