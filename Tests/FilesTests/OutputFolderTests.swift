import Foundation
import TestSupport
import Testing

@testable import Files

@Suite struct OutputFolderTests {
    @Test func appearsOnlyWhenCommitted() throws {
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        try write("config.json", "{}", to: output)
        #expect(try folder.listing() == ["out.partial"])
        #expect(try folder.listing("out.partial") == ["config.json", "lock"])
        try output.commit()
        #expect(try folder.listing() == ["out"])
        #expect(try folder.listing("out") == ["SHA256SUMS", "config.json"])
        #expect(try folder.bytes("out/config.json") == Array("{}".utf8))
    }

    @Test func leavesNothingWhenAbandonedOrForgotten() throws {
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        let file = try output.createFile("model.safetensors", byteCount: 100_000)
        #expect(try folder.bytes("out.partial/model.safetensors").count == 100_000)
        output.abandon(after: CheckpointError(.fileIo, "cannot write"))
        #expect(try folder.listing().isEmpty)
        #expect(file.isFinished)
        do {
            let forgotten = try OutputFolder(at: folder("out"), sources: [])
            try write("a", "b", to: forgotten)
        }
        #expect(try folder.listing().isEmpty)
    }

    @Test func saysBeforehandThatADiskIsTooSmall() throws {
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        try output.requireRoom(for: 0)
        try output.requireRoom(for: 4096)
        let error = try expectError(.fileIo) { try output.requireRoom(for: .max) }
        #expect(error.systemError == ENOSPC)
        #expect(error.expected == "\(Int.max) bytes of free space")
    }

    @Test func refusesWhatExistsUnlessForced() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("out")
        try folder.write("out/old")
        try folder.write("file")
        for name in ["out", "file", "out/", "."] {
            try expectError(.outputExists) { try OutputFolder(at: folder(name), sources: []) }
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder("dangling"),
            withDestinationPath: "nowhere"
        )
        try expectError(.outputExists) { try OutputFolder(at: folder("dangling"), sources: []) }
        #expect(try folder.listing() == ["dangling", "file", "out"])

        // Nothing of it was made by an output, so nothing may be replaced.
        for name in ["out", "file", "dangling"] {
            try expectError(.outputExists) {
                try OutputFolder(at: folder(name), sources: [], overwrite: true)
            }
        }
        #expect(try folder.listing("out") == ["old"])
        // In an empty folder there is nothing to lose.
        try folder.makeFolder("empty")
        let output = try OutputFolder(at: folder("empty"), sources: [], overwrite: true)
        try write("new", "new", to: output)
        #expect(try output.commit() == [])
        #expect(try folder.listing("empty") == ["SHA256SUMS", "new"])
        #expect(try folder.listing() == ["dangling", "empty", "file", "out"])
    }

    @Test func keepsTheOldFolderUntilTheNewOneIsWhole() throws {
        let folder = try TemporaryFolder()
        try makeOutput("out", ["old": [1]], in: folder)
        let output = try OutputFolder(at: folder("out"), sources: [], overwrite: true)
        try write("new", "new", to: output)
        #expect(try folder.listing("out") == ["SHA256SUMS", "old"])
        output.abandon(after: CheckpointError(.fileIo, "cannot write"))
        #expect(try folder.listing() == ["out"])
        #expect(try folder.bytes("out/old") == [1])
    }

    @Test func doesNotReplaceAFolderThatHoldsFolders() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("home")
        try folder.makeFolder("home/documents")
        let error = try expectError(.outputExists) {
            try OutputFolder(at: folder("home"), sources: [], overwrite: true)
        }
        #expect(error.message.contains("documents"))
        #expect(try folder.listing("home") == ["documents"])
        // Nor one in place of the temporary folder.
        try folder.makeFolder("out.partial")
        try folder.makeFolder("out.partial/mine")
        try expectError(.outputExists) { try OutputFolder(at: folder("out"), sources: []) }
        #expect(try folder.listing("out.partial") == ["mine"])
    }

    @Test func refusesTheSourceAndWhatLiesInsideOrAroundIt() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("models")
        try folder.makeFolder("models/src")
        try folder.write("models/src/model.safetensors", [0])
        try FileManager.default.createSymbolicLink(
            atPath: folder("link"),
            withDestinationPath: "models/src"
        )
        let source = folder("models/src")
        let file = folder("models/src/model.safetensors")
        for (destination, source) in [
            (source, source), (folder("models/src/out"), source), (folder("link/out"), source),
            (folder("link"), source), (source, folder("link")), (folder("models"), source),
            (file, file), (folder("models/src"), file),
        ] {
            let error = try expectError(.outputInsideInput) {
                try OutputFolder(at: destination, sources: [source], overwrite: true)
            }
            #expect(error.code.category == .usage)
        }
        #expect(try folder.listing() == ["link", "models"])
        #expect(try folder.listing("models/src") == ["model.safetensors"])
        // Beside the source, or beside a source file, is fine.
        for (destination, source) in [("models/src2", source), ("models/src/out", file)] {
            let output = try OutputFolder(at: folder(destination), sources: [source])
            output.abandon(after: nil)
        }
    }

    @Test func isBusyWhileSomebodyWrites() throws {
        let folder = try TemporaryFolder()
        let first = try OutputFolder(at: folder("out"), sources: [])
        let error = try expectError(.outputBusy) {
            try OutputFolder(at: folder("out"), sources: [], overwrite: true)
        }
        #expect(error.message.contains("process \(getpid())"))
        try write("a", "b", to: first)
        try first.commit()
        #expect(try folder.listing("out") == ["SHA256SUMS", "a"])
    }

    @Test func respectsALockOnTheLockFileAlone() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("out.partial")
        try folder.write("out.partial/lock", Array("4711\n".utf8))
        let descriptor = open(folder("out.partial/lock"), O_RDONLY)
        defer { close(descriptor) }
        try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        let error = try expectError(.outputBusy) {
            try OutputFolder(at: folder("out"), sources: [])
        }
        #expect(error.message.contains("4711"))
        #expect(try folder.listing("out.partial") == ["lock"])
    }

    @Test func removesWhatADeadProcessLeft() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("out.partial")
        try folder.write("out.partial/lock", Array("4711\nmodel.safetensors\n".utf8))
        try folder.write("out.partial/model.safetensors", [1, 2, 3])
        let output = try OutputFolder(at: folder("out"), sources: [])
        #expect(try folder.listing("out.partial") == ["lock"])
        try output.commit()
        #expect(try folder.listing("out") == ["SHA256SUMS"])
    }

    @Test func noticesADestinationThatAppearsMeanwhile() throws {
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        try write("a", "b", to: output)
        try folder.makeFolder("out")
        let error = try expectError(.outputExists) { try output.commit() }
        output.abandon(after: error)
        #expect(try folder.listing() == ["out"])
        #expect(try folder.listing("out") == [])
    }

    @Test func givesNoMorePermissionsThanTheSourceHas() throws {
        let folder = try TemporaryFolder()
        try folder.write("private.safetensors", [0])
        try #require(chmod(folder("private.safetensors"), 0o600) == 0)
        let output = try OutputFolder(
            at: folder("out"),
            sources: [folder("private.safetensors")]
        )
        try write("a", "b", to: output)
        #expect(try mode(folder("out.partial")) == 0o700)
        try output.commit()
        #expect(try mode(folder("out/a")) == 0o600)
        let mask = umask(0o077)
        umask(mask)
        #expect(try mode(folder("out")) == 0o777 & ~Int(mask))
    }

    @Test func refusesTwoFilesOfOneName() throws {
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        try write("a", "b", to: output)
        let error = try expectError(.fileIo) { try output.createFile("a") }
        #expect(error.systemError == EEXIST)
    }

    @Test func reportsAMissingParent() throws {
        let folder = try TemporaryFolder()
        let error = try expectError(.fileIo) {
            try OutputFolder(at: folder("none/out"), sources: [])
        }
        #expect(error.systemError == ENOENT)
    }

    /// Makes a whole output.
    private func makeOutput(
        _ name: String,
        _ files: [String: [UInt8]],
        in folder: TemporaryFolder
    ) throws {
        let output = try OutputFolder(at: folder(name), sources: [])
        for (name, bytes) in files { try output.writeFile(name, bytes) }
        try output.commit()
    }

    private func write(_ name: String, _ text: String, to output: OutputFolder) throws {
        try Array(text.utf8).withRawSpan { try output.writeFile(name, $0) }
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }
}

@Suite struct SingleFileOutputTests {
    @Test func appearsOnlyWhenCommitted() throws {
        let folder = try TemporaryFolder()
        let output = try SingleFileOutput(at: folder("x.bin"), sources: [], byteCount: 3)
        try [7, 8, 9].withRawSpan { try output.file.write($0, at: 0) }
        #expect(try folder.listing() == [".x.bin.partial"])
        try expectError(.outputBusy) { try SingleFileOutput(at: folder("x.bin"), sources: []) }
        try output.commit()
        #expect(try folder.listing() == ["x.bin"])
        #expect(try folder.bytes("x.bin") == [7, 8, 9])
        try expectError(.outputExists) { try SingleFileOutput(at: folder("x.bin"), sources: []) }
    }

    @Test func replacesAFileOnlyWhenForcedAndNeverAFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("x", [1])
        try folder.makeFolder("d")
        let output = try SingleFileOutput(at: folder("x"), sources: [], isReplaceable: isOne)
        try [2].withRawSpan { try output.file.write($0, at: 0) }
        output.abandon()
        #expect(try folder.bytes("x") == [1])
        let second = try SingleFileOutput(at: folder("x"), sources: [], isReplaceable: isOne)
        try [2].withRawSpan { try second.file.write($0, at: 0) }
        try second.commit()
        #expect(try folder.bytes("x") == [2])
        #expect(try folder.listing() == ["d", "x"])
        try expectError(.outputExists) {
            try SingleFileOutput(at: folder("d"), sources: [], isReplaceable: isOne)
        }
        // It holds something else by now.
        try expectError(.outputExists) {
            try SingleFileOutput(at: folder("x"), sources: [], isReplaceable: isOne)
        }
        try expectError(.outputInsideInput) {
            try SingleFileOutput(at: folder("x"), sources: [folder("x")], isReplaceable: isOne)
        }
    }

    private func isOne(_ file: any ByteSource) throws(CheckpointError) -> Bool {
        try file.bytes(in: 0..<file.byteCount) == [1]
    }

    @Test func keepsATemporaryFileThatHoldsSomething() throws {
        let folder = try TemporaryFolder()
        try folder.write(".x.partial", [1, 2, 3])
        try expectError(.outputExists) { try SingleFileOutput(at: folder("x"), sources: []) }
        #expect(try folder.bytes(".x.partial") == [1, 2, 3])
    }

    @Test func removesAnEmptyTemporaryFile() throws {
        let folder = try TemporaryFolder()
        try folder.write(".x.partial", [])
        let output = try SingleFileOutput(at: folder("x"), sources: [])
        try output.commit()
        #expect(try folder.listing() == ["x"])
        #expect(try folder.bytes("x") == [])
    }
}
