import Foundation
import TestSupport
import Testing

/// `inspect` lists whatever a file holds, sound or not.
@Suite struct InspectionTests {
    @Test func absurdShapesAreListedAsTheyAre() throws {
        var file = SafetensorsBytes()
        let state = Array(
            #"{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2147483648, 2147483648]}"#
                .utf8
        )
        for name in ["a", "b", "c"] {
            file.add("\(name).weight", "U8", [4, 1], [1, 2, 3, 4])
            file.add("\(name).weight.absmax", "F32", [1], [0, 0, 0, 0])
            let name = "\(name).weight.quant_state.bitsandbytes__nf4"
            file.add(name, "U8", [state.count], state)
        }
        try withScratchFolder { scratch in
            let path = scratch.appendingPathComponent("model.safetensors")
            try Data(file.bytes).write(to: path)
            let outcome = try Tool.succeed(["inspect", path.path, "--json"])
            let found = try outcome.object()
            #expect((found["tensors"] as? [Any])?.count == 9)
            #expect(found["tensor_bytes"] as? Int == 3 * (4 + 4 + state.count))
            let warnings = try #require(found["warnings"] as? [String])
            #expect(warnings.count == 3)
            #expect(warnings.allSatisfy { $0.contains("[quant.shape]") }, "\(warnings)")
            #expect(try Tool.run(["verify", path.path]).status == 65)
        }
    }
}
