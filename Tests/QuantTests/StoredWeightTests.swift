import CheckpointIO
import Foundation
import Quant
import TestSupport
import Tensors
import Testing

/// What is written of a quantized weight, in memory and by converting a checkpoint.
@Suite struct StoredWeightTests {
    /// Every way to quantize.
    static let configs: [QuantizationConfig] = {
        var configs: [QuantizationConfig] = [.init(.int8Vectorwise)]
        for size in [BlockSize.b32, .b64, .b4096] {
            configs.append(.init(.int8Blockwise, blockSize: size))
            for format in [QuantizationFormat.nf4, .fp4] {
                for scale in QuantizationConfig.ScaleRule.allCases {
                    for absmax in [QuantizationConfig.AbsmaxKind.float32, .doubleQuantized] {
                        configs.append(
                            .init(format, blockSize: size, absmax: absmax, scale: scale)
                        )
                    }
                }
            }
        }
        return configs
    }()

    /// Sizes that no block divides, a single element, and more than one tile.
    static let shapes = [[1, 1], [3, 5], [7, 96], [33, 257], [600, 301]]

    private let name: Name = "layer.weight"

    private func matrix(_ shape: [Int]) -> Matrix {
        var generator = SeededGenerator(seed: UInt64(shape[0] * 1000 + shape[1]))
        let elements = (0..<shape[0] * shape[1]).map { _ in
            (0..<3).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &generator) }
        }
        return Matrix(rowCount: shape[0], columnCount: shape[1], elements: elements)
    }

    private func bytes(of checkpoint: Checkpoint) throws -> [Name: [UInt8]] {
        var found: [Name: [UInt8]] = [:]
        for view in checkpoint.tensors {
            var bytes = [UInt8](repeating: 0, count: view.description.byteCount)
            try bytes.withUnsafeMutableBytes { buffer in
                var span = buffer.mutableBytes
                try view.read(0..<view.description.elementCount, into: &span)
            }
            found[view.description.name] = bytes
        }
        return found
    }

    /// Two ways to the same bytes: tile by tile into a file, and in memory.
    @Test(arguments: configs) func convertingGivesTheTensorsOfTheMatrix(
        config: QuantizationConfig
    ) throws {
        for shape in Self.shapes {
            let folder = try TemporaryFolder()
            let weight = matrix(shape)
            let source = folder("source.safetensors")
            try SafetensorsFile.write([weight.tensor(named: name)], to: source)
            var options = ConversionOptions(config)
            options.measuresErrors = true
            let model = try Checkpoint(at: source, options: .init(allowsAnyArchitecture: true))
            let report = try CheckpointConverter(model, options: options).run(to: folder("out"))
            let converted = try bytes(of: Checkpoint(at: folder("out/model.safetensors")))

            let quantized = try weight.quantized(using: config)
            let tensors = quantized.tensors(named: name)
            #expect(tensors[0].description.name == name)
            #expect(converted.count == tensors.count)
            for tensor in tensors {
                #expect(
                    converted[tensor.description.name] == tensor.bytes,
                    "\(tensor.description.name) of \(shape)"
                )
            }
            // The error that is reported is that of the codes that are written.
            let error = Distortion(of: quantized.dequantized(), from: weight)
            let reported = try #require(report.tensors.first?.distortion)
            // Added up in another order: n terms of one sign, each sum off by n roundings at most.
            let bound = 2 * Double(shape[0] * shape[1]) * 0x1p-53 * error.squaredErrorSum
            let difference = (reported.squaredErrorSum - error.squaredErrorSum).magnitude
            #expect(difference <= bound, "\(shape)")
            #expect(reported.maximumError == error.maximumError)
        }
    }

    @Test(arguments: configs) func readsBackWhatItWrote(config: QuantizationConfig) throws {
        let folder = try TemporaryFolder()
        let quantized = try matrix([33, 257]).quantized(using: config)
        let path = folder("weight.safetensors")
        try SafetensorsFile.write(quantized.tensors(named: name), to: path)
        let again = try QuantizedMatrix(name, in: Checkpoint(at: path))
        #expect(again.codes == quantized.codes)
        #expect(again.absmax == quantized.absmax)
        #expect((again.rowCount, again.columnCount) == (33, 257))
        #expect(again.config.format == config.format)
        // LLM.int8 keeps its type in config.json only.
        if config.format != .int8Vectorwise { #expect(again.dtype == quantized.dtype) }
        // Nothing is replaced.
        try expectError(.outputExists) {
            try SafetensorsFile.write(quantized.tensors(named: name), to: path)
        }
    }

    @Test func floatMatricesAreReadAndWritten() throws {
        let folder = try TemporaryFolder()
        let weight = matrix([7, 96])
        let path = folder("weight.safetensors")
        try SafetensorsFile.write([weight.tensor(named: name)], to: path)
        let checkpoint = try Checkpoint(at: path)
        #expect(try Matrix(name, in: checkpoint) == weight)
        try expectError(.modelTensorMissing) { try Matrix("other", in: checkpoint) }
        try expectError(.quantUnsupported) { try QuantizedMatrix(name, in: checkpoint) }

        var file = SafetensorsBytes()
        file.add("half", "BF16", [1, 2], [0x80, 0x3F, 0x00, 0xC0])
        file.add("vector", "F32", [1], [0, 0, 0, 0])
        try folder.write("bf16.safetensors", file.bytes)
        let others = try Checkpoint(at: folder("bf16.safetensors"))
        #expect(try Matrix("half", in: others).elements == [1, -2])
        try expectError(.quantUnsupported) { try Matrix("vector", in: others) }
    }
}
