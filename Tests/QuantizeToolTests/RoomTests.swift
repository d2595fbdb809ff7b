import Foundation
import TestSupport
import Testing

/// Whether everything finds room is known before the first file is written.
@Suite struct RoomTests {
    @Test func aModelThatDoesNotFitIsRefusedAtOnce() throws {
        try withScratchFolder { folder in
            let source = folder.appendingPathComponent("source")
            try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
            let attributes = try FileManager.default.attributesOfFileSystem(forPath: folder.path)
            let free = try #require(attributes[.systemFreeSize] as? Int)
            // A file of holes: it says it is large, and takes no space. 4 bits of 16 are too many still.
            let rows = 6 * free / (2 * 8 * 4096)
            let header = """
                {"a.weight":{"dtype":"F16","shape":[\(8 * rows),4096],\
                "data_offsets":[0,\(8 * rows * 4096 * 2)]}}
                """
            let model = source.appendingPathComponent("model.safetensors")
            var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
            bytes += Array(header.utf8)
            try Data(bytes).write(to: model)
            let handle = try FileHandle(forWritingTo: model)
            try handle.truncate(atOffset: UInt64(bytes.count + 8 * rows * 4096 * 2))
            try handle.close()

            let outcome = try Tool.run([
                "convert", model.path, folder.path + "/out", "--any-architecture",
                "--max-shard-size", "1GB", "--json",
            ])
            #expect(outcome.status == 74, "\(outcome.errors)")
            let error = try outcome.error()
            #expect(error["code"] as? String == "file.io")
            let message = try #require(error["message"] as? String)
            #expect(message.contains("write all files"), "\(message)")
            // Neither a result nor a part of one.
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["source"]
            )
        }
    }
}
