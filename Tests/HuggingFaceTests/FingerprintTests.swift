import Foundation
import TestSupport
import Testing

@testable import Files
@testable import HuggingFace

@Suite struct FingerprintTests {
    @Test func changesWithEveryInput() throws {
        let folder = try TemporaryFolder()
        for name in ["config.json", "generation_config.json", "model.safetensors"] {
            try folder.write(name, Golden.bytes("tiny_llama/base_f32/" + name))
        }
        func fingerprint() throws -> Fingerprint {
            var fingerprint = Fingerprint(toolVersion: "1", options: [])
            try fingerprint.addInputs(of: Checkpoint(at: folder.path))
            return fingerprint
        }
        let before = try fingerprint()
        #expect(try fingerprint() == before)
        #expect(
            before.fields.map(\.key).contains("input.model.safetensors"),
            "\(before.fields)"
        )
        var config = try folder.bytes("config.json")
        let bytes = try folder.bytes("model.safetensors")

        // The same bytes at another time.
        try folder.write("model.safetensors", bytes)
        let touched = try fingerprint()
        #expect(touched != before)
        // Another byte in the header, with size and time kept.
        let time = try FileManager.default.attributesOfItem(
            atPath: folder("model.safetensors")
        )[.modificationDate]
        config.append(0x0A)
        var changed = bytes
        let position = try #require(bytes.firstIndex(of: 0x20))
        changed[position] = 0x0A
        try folder.write("model.safetensors", changed)
        try FileManager.default.setAttributes(
            [.modificationDate: try #require(time)],
            ofItemAtPath: folder("model.safetensors")
        )
        #expect(try fingerprint() != touched)
        // A file that is carried along.
        let third = try fingerprint()
        try folder.write("generation_config.json", Array(#"{"a": 1}"#.utf8))
        #expect(try fingerprint() != third)
    }
}
