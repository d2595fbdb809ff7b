import CheckpointIO
import Quant
import TestSupport
import Tensors
import Testing

/// Converting the unquantized golden model gives what transformers and bitsandbytes wrote.
@Suite struct ConverterGoldenTests {
    private static let base = "tiny_llama/base_f32"

    /// Converts the base model and returns the folder it is in.
    private func converted(
        _ config: QuantizationConfig,
        _ change: (inout ConversionOptions) -> Void = { _ in }
    ) throws -> TemporaryFolder {
        let source = try Golden.url(Self.base).path
        var options = ConversionOptions(config)
        change(&options)
        let converter = try CheckpointConverter(Checkpoint(at: source), options: options)
        let folder = try TemporaryFolder()
        _ = try converter.run(to: folder("out"))
        return folder
    }

    private func tensors(_ folder: TemporaryFolder) throws -> [Name: TensorView] {
        let checkpoint = try Checkpoint(at: folder("out"))
        return Dictionary(
            uniqueKeysWithValues: checkpoint.tensors.map { ($0.description.name, $0) }
        )
    }

    private func bytes(_ view: TensorView) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: view.description.byteCount)
        try bytes.withMutableRawSpan { span in
            try view.read(0..<view.description.elementCount, into: &span)
        }
        return bytes
    }

    @Test func writesTheWholeFileOfAnNF4Model() throws {
        let folder = try converted(.nf4) { $0.dtype = .bfloat16 }
        for file in ["model.safetensors", "config.json", "generation_config.json"] {
            let golden = try Golden.bytes("tiny_llama/nf4/\(file)")
            #expect(try folder.bytes("out/\(file)") == golden, "\(file)")
        }
    }

    @Test func writesTheWholeFileOfAnInt8Model() throws {
        let folder = try converted(QuantizationConfig(.int8Vectorwise)) { $0.dtype = .float16 }
        for file in ["model.safetensors", "config.json"] {
            let golden = try Golden.bytes("tiny_llama/int8/\(file)")
            #expect(try folder.bytes("out/\(file)") == golden, "\(file)")
        }
    }

    @Test func nestsScalesAsBitsandbytesDoes() throws {
        let folder = try converted(QuantizationConfig(.nf4, absmax: .doubleQuantized)) {
            $0.dtype = .bfloat16
        }
        let ours = try tensors(folder)
        let golden = try Checkpoint(at: Golden.url("tiny_llama/nf4_dq_tied_sharded").path)
        #expect(golden.tensors.count + 1 == ours.count)
        for tensor in golden.tensors {
            let name = tensor.description.name
            let mine = try #require(ours[name], "\(name)")
            let (left, right) = (try bytes(mine), try bytes(tensor))
            // The mean of the scales, and what follows from it, may differ by an ulp or two.
            if name.text.contains("quant_state") || name.text.hasSuffix("nested_absmax") {
                continue
            }
            #expect(mine.description == tensor.description)
            let isNested = name.text.hasSuffix(".absmax")
            #expect(isNested ? Self.agree(left, right) : left == right, "\(name)")
        }
    }

    /// Whether codes of the dynamic map are equal up to the reference's look-up of 65536 bins.
    ///
    /// That puts single codes one step off and never gives one from 124 to 130.
    private static func agree(_ ours: [UInt8], _ reference: [UInt8]) -> Bool {
        let different = zip(ours, reference).filter { $0 != $1 }
        return ours.count == reference.count && different.count <= 1
            && different.allSatisfy { ours, reference in
                abs(Int(ours) - Int(reference)) == 1
                    || (124...130).contains(ours) && [123, 131].contains(reference)
            }
    }

    @Test func writesFP4UpToTheTwoZeroCodes() throws {
        let folder = try converted(QuantizationConfig(.fp4)) {
            $0.skip = [ModulePattern("down_proj")!]
        }
        let ours = try tensors(folder)
        let golden = try Checkpoint(at: Golden.url("tiny_llama/fp4_f32_storage_skip").path)
        #expect(golden.tensors.count == ours.count)
        for tensor in golden.tensors {
            let name = tensor.description.name
            let mine = try #require(ours[name], "\(name)")
            let isPacked = ours[Name(name.text + ".absmax")] != nil
            let left = try bytes(mine).map { isPacked ? Self.withOneZero($0) : $0 }
            let right = try bytes(tensor).map { isPacked ? Self.withOneZero($0) : $0 }
            #expect(left == right, "\(name)")
        }
        let config = try JSONObject(parsing: folder.bytes("out/config.json"))
        let declaration = try config.object("quantization_config")
        #expect(
            try declaration.optionalStrings("llm_int8_skip_modules") == ["lm_head", "down_proj"]
        )
    }

    /// Codes 0 and 8 of FP4 are both zero.
    private static func withOneZero(_ byte: UInt8) -> UInt8 {
        let high = byte >> 4 == 8 ? 0 : byte & 0xF0
        return high | (byte & 15 == 8 ? 0 : byte & 15)
    }
}
