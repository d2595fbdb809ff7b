import Foundation
import TestSupport
import Testing

/// Commands on whole models, as far as people are told of what they did.
@Suite struct ModelCommandTests {
    private let source = tinyModel.path

    @Test func patternsThatMatchNothingAreNamed() throws {
        let outcome = try Tool.succeed([
            "convert", source, "unused", "--dry-run", "--json", "--skip", "q_prj", "--skip",
            "embed_tokens", "--only", "proj", "--only", "norm", "--tensor-type",
            "embed_tokens=none",
        ])
        let warnings = try #require(try outcome.object()["warnings"] as? [String])
        let unused = warnings.filter { $0.hasSuffix("[option.unused]") }
        #expect(
            unused == [
                "--skip 'q_prj' matches no module [option.unused]",
                "--only 'norm' matches no linear layer [option.unused]",
                "--tensor-type 'embed_tokens' matches no linear layer [option.unused]",
            ]
        )
    }

    @Test func outputHeadMayBeSkippedWithoutBeingThere() throws {
        let arguments = ["convert", source, "unused", "--dry-run", "--skip", "lm_head"]
        #expect(try !Tool.succeed(arguments).errors.contains("option.unused"))
    }

    @Test func packedFileBecomesAFolderOfFloats() throws {
        try withScratchFolder { scratch in
            let packed = try packedModel(in: scratch)
            let output = scratch.appendingPathComponent("out").path
            let run = try Tool.succeed(["dequantize", packed, output, "--json"])
            let tensors = try #require(try run.object()["tensors"] as? [[String: Any]])
            #expect(tensors.contains { $0["action"] as? String == "bfloat16 (unpacked)" })
            #expect(!run.errors.contains("plan: 0 of"))
            let files = try contents(of: URL(fileURLWithPath: output))
            let config = try JSONSerialization.jsonObject(with: try #require(files["config.json"]))
            let members = try #require(config as? [String: Any])
            #expect(members["quantization_config"] == nil)

            let compared = try Tool.succeed(["verify", output, "--against", packed, "--json"])
            let rows = try #require(try compared.object()["tensors"] as? [[String: Any]])
            #expect(rows.count == tensors.count)
            for row in rows {
                // Rounding to bfloat16, with its 8 bits, moves a number by 2^-8 of itself at most.
                let error = try #require(row["relative_rmse"] as? Double)
                #expect(error <= 0x1p-8, "\(row)")
            }
        }
    }

    @Test func packedWeightsQuantizedAgainAreAWarning() throws {
        try withScratchFolder { scratch in
            let packed = try packedModel(in: scratch)
            let again = try Tool.succeed(["convert", packed, "unused", "--dry-run"] + noTokenizer)
            #expect(again.errors.contains("(Q8_0)"))
            #expect(again.errors.contains("[quant.twice]"))
            let once = try Tool.succeed(["convert", source, "unused", "--dry-run"])
            #expect(!once.errors.contains("[quant.twice]"))
        }
    }

    private let noTokenizer = ["--no-tokenizer"]

    private func packedModel(in folder: URL) throws -> String {
        let file = folder.appendingPathComponent("packed.gguf")
        var writer = GGUFWriter.packedLlama()
        try Data(writer.bytes()).write(to: file)
        return file.path
    }

    @Test func brokenFrameIsToldOnce() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out")
            try Tool.succeed(["convert", source, output.path, "--zstd"])
            let file = output.appendingPathComponent("model.safetensors.zst")
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: file)
            let outcome = try Tool.run(["verify", output.path, "--json"])
            #expect(outcome.status == 65)
            let findings = try #require(try outcome.object()["findings"] as? [[String: Any]])
            #expect(findings.count == 2, "\(findings)")
            #expect(findings.first?["code"] as? String == "file.checksum")
            #expect((findings.last?["message"] as? String)?.contains(" tensors need it") == true)
        }
    }

    @Test func failedReportDoesNotHideTheResult() throws {
        try withScratchFolder { scratch in
            let report = scratch.appendingPathComponent("report.html")
            // The text fits into 8 KiB, the page does not.
            let arguments = ["inspect", source, "--report", report.path]
            let outcome = try Tool.run(arguments, fileBlockLimit: 16)
            #expect(outcome.status == 74)
            #expect(outcome.output.contains("LlamaForCausalLM"))
            #expect(outcome.errors.contains("hint: all but the report is done"))
            #expect(!FileManager.default.fileExists(atPath: report.path))
        }
    }

    @Test func missingFoldersAreNamedInFull() throws {
        let model = try Tool.run(["inspect", "nobody/nothing"])
        #expect(model.errors.hasPrefix("error: nobody/nothing: there is no such file"))
        let parent = try Tool.run(["convert", source, "/nonexistent/folder/out"])
        #expect(parent.status == 74)
        #expect(parent.errors.contains("hint: make the folder first"))
    }

    @Test func summaryNamesTheWorstTensor() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let run = try Tool.succeed(["convert", source, output, "--json"])
            let rows = try #require(try run.object()["tensors"] as? [[String: Any]])
            let errors = rows.compactMap { row in
                (row["relative_rmse"] as? Double).map { ($0, row["name"] as? String ?? "") }
            }
            let worst = try #require(errors.max { $0.0 < $1.0 })
            let text = try Tool.succeed(["verify", output, "--against", source]).output
            #expect(text.contains("worst tensor               \(worst.1)\n"))
        }
    }
}
