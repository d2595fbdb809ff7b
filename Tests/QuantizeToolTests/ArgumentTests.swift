import ArgumentParser
@testable import QuantizeTool
import Testing

@Suite struct ArgumentTests {
    private func message(_ arguments: [String]) -> String? {
        do {
            _ = try Quantize.parseAsRoot(OptionalValues.joined(arguments))
            return nil
        } catch {
            #expect(Quantize.exitCode(for: error) == .validationFailure, "\(error)")
            return Quantize.message(for: error)
        }
    }

    @Test func convertsToNF4ByDefault() throws {
        let command = try Quantize.parseAsRoot(["convert", "SRC", "DST"])
        let convert = try #require(command as? Convert)
        #expect(convert.src == "SRC")
        #expect(convert.dst == "DST")
        #expect(convert.quantization.type == .nf4)
        #expect(convert.quantization.scale == .absmax)
        #expect(convert.quantization.blockSize == nil)
        #expect(convert.output.zstd == nil)
    }

    @Test func takesEveryOptionOfConvert() throws {
        let command = try Quantize.parseAsRoot(
            OptionalValues.joined([
                "convert", "SRC", "--type", "fp4", "--double-quant", "--block-size", "128",
                "--scale", "search", "--zstd=7", "--skip", "lm_head", "--skip", "embed", "--only",
                "mlp", "--tensor-type", "down_proj=int8", "--tensor-type", "a=b=none", "--dtype",
                "bfloat16", "--max-shard-size", "5GB", "--keep-nonfinite", "--any-architecture",
                "--follow-links", "--threads", "3", "--memory-limit", "2GiB",
                "--json", "-q", "--no-progress", "--force", "--resume", "--report", "r.html", "DST",
            ])
        )
        let convert = try #require(command as? Convert)
        #expect(convert.quantization.type == .fp4)
        #expect(convert.quantization.doubleQuant)
        #expect(convert.quantization.blockSize == 128)
        #expect(convert.quantization.scale == .search)
        #expect(convert.quantization.skip == ["lm_head", "embed"])
        #expect(convert.quantization.only == ["mlp"])
        #expect(convert.quantization.tensorType.map(\.pattern) == ["down_proj", "a=b"])
        #expect(convert.quantization.tensorType.map(\.format) == [.int8, nil])
        #expect(convert.quantization.dtype == .bf16)
        #expect(convert.quantization.keepNonfinite)
        #expect(convert.quantization.anyArchitecture)
        #expect(convert.output.zstd == 7)
        #expect(convert.output.maxShardSize?.byteCount == 5_000_000_000)
        #expect(convert.output.followLinks)
        #expect(convert.output.force)
        #expect(convert.output.resume)
        #expect(convert.work.threads.threads == 3)
        #expect(convert.work.memory.memoryLimit?.byteCount == 2 << 30)
        #expect(convert.dst == "DST")
    }

    @Test func zstdAloneMeansLevelThree() throws {
        let command = try Quantize.parseAsRoot(
            OptionalValues.joined(["convert", "--zstd", "SRC", "DST"])
        )
        let convert = try #require(command as? Convert)
        #expect(convert.output.zstd == 3)
        #expect(convert.src == "SRC")
        #expect(OptionalValues.joined(["--", "--zstd"]) == ["--", "--zstd"])
    }

    @Test(
        arguments: [
            (["convert", "SRC"], "dst"),
            (["convert", "A", "B", "C"], "C"),
            (["convert", "A", "B", "--type", "int3"], "int3"),
            (["convert", "A", "B", "--type", "int8", "--double-quant"], "--double-quant"),
            (["convert", "A", "B", "--type", "int8", "--block-size", "64"], "--block-size"),
            (["convert", "A", "B", "--type", "int8-blockwise", "--scale", "search"], "--scale"),
            (["convert", "A", "B", "--block-size", "48"], "--block-size"),
            (["convert", "A", "B", "--block-size", "8192"], "--block-size"),
            (["convert", "A", "B", "--zstd=0"], "--zstd"),
            (["convert", "A", "B", "--zstd=23"], "--zstd"),
            (["convert", "A", "B", "--zstd=high"], "zstd"),
            (["convert", "A", "B", "--skip", "("], "--skip"),
            (["convert", "A", "B", "--only", "[a"], "--only"),
            (["convert", "A", "B", "--tensor-type", "int8"], "tensor-type"),
            (["convert", "A", "B", "--tensor-type", "x=int5"], "tensor-type"),
            (["convert", "A", "B", "--tensor-type", "(=int8"], "tensor-type"),
            (["convert", "A", "B", "--dtype", "f64"], "dtype"),
            (["convert", "A", "B", "--max-shard-size", "5gb"], "max-shard-size"),
            (["convert", "A", "B", "--threads", "0"], "--threads"),
            (["convert", "A", "B", "--threads", "-1"], "threads"),
            (["convert", "A", "B", "--quiet", "--verbose"], "--quiet"),
            (["convert", "A", "B", "--report", "report.txt"], "--report"),
            (["convert", "A", "B", "--dry-run", "--resume"], "--dry-run"),
            (["verify", "A", "--fail-above", "0.1"], "--against"),
            (["verify", "A", "--against", "B", "--fail-above", "-1"], "fail-above"),
            (["verify", "A", "--against", "B", "--fail-above", "nan"], "--fail-above"),
            (["inspect"], "path"),
            (["inspect", "A", "--force"], "--force"),
            (["bench", "--size", "1"], "--size"),
            (["bench", "--seconds", "0"], "--seconds"),
            (["bench", "--layers", "--model", "m"], "--layers"),
            (["bench", "--filter", "no such row"], "--filter"),
            (["nonsense"], "nonsense"),
        ]
    )
    func refusesWhatMakesNoSense(arguments: [String], named: String) {
        let message = message(arguments)
        #expect(message?.contains(named) == true, "\(message ?? "accepted")")
    }

    @Test func everyCommandSharesTheSameOptions() throws {
        for arguments in [
            ["convert", "A", "B"], ["dequantize", "A", "B"], ["inspect", "A"], ["verify", "A"],
            ["bench"], ["doctor"],
        ] {
            let command = try Quantize.parseAsRoot(
                arguments + ["--json", "-v", "--report", "report.json"]
            )
            let tool = try #require(command as? any ToolCommand)
            #expect(tool.shared.json)
            #expect(tool.shared.verbose)
        }
    }

    /// An option that nothing reads would promise something.
    @Test func optionsAreTakenWhereTheyMeanSomething() {
        let commands = [
            ["convert", "A", "B"], ["dequantize", "A", "B"], ["verify", "A"], ["inspect", "A"],
            ["bench"], ["doctor"],
        ]
        let options: [(option: [String], commands: Set<String>)] = [
            (["--threads", "2"], ["convert", "dequantize", "verify", "bench"]),
            (["--memory-limit", "1GB"], ["convert", "dequantize", "verify", "inspect"]),
            (["--no-progress"], ["convert", "dequantize", "verify", "bench"]),
            (["--seed", "1"], []),
        ]
        for (option, accepting) in options {
            for command in commands {
                let isAccepted = message(command + option) == nil
                #expect(isAccepted == accepting.contains(command[0]), "\(command) \(option)")
            }
        }
    }
}
