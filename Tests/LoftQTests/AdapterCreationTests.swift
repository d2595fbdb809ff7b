import CheckpointIO
import Foundation
import LoftQ
import QLoRA
import Quant
import TestSupport
import Testing

/// Bases and adapters through the library: what a closure decides about layers.
@Suite struct AdapterCreationTests {
    /// The checkpoint that ships with the package.
    private static func model() throws -> Checkpoint {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try Checkpoint(
            at: package.appendingPathComponent("Examples/tiny-model/checkpoint").path
        )
    }

    private static let config = LoRAConfig(rank: 8, alpha: 16, targetModules: .allLinear)

    @Test func aClosureAcceptsRejectsAndStops() throws {
        let scratch = try TemporaryFolder()
        let checkpoint = try Self.model()
        var options = AdapterCreation.Options(adapter: Self.config)
        options.iterationCount = 2
        let seen = Counter()
        options.decide = { layer in
            let number = seen.next()
            #expect(layer.errors.count == 2 && layer.plainError > layer.error)
            return number == 1 ? .reject : number == 4 ? .stop : .accept
        }
        let creation = try AdapterCreation(checkpoint, options: options)
        let output = scratch("out")
        let layers = try creation.run(to: output).layers
        #expect(layers.count == 28 && seen.value == 5)
        let counts = Dictionary(grouping: layers, by: \.verdict).mapValues(\.count)
        #expect(counts == [.accept: 3, .reject: 1, .stop: 24])
        for layer in layers {
            #expect((layer.gain > 0) == (layer.verdict == .accept))
            #expect(layer.plainError > 0 && layer.plainError < 0.1 * layer.weightNorm)
        }
        // Rejected layers are quantized as if there were no adapter.
        let made = try Checkpoint(at: output)
        let plain = scratch("plain")
        _ = try CheckpointConverter(checkpoint, options: ConversionOptions()).run(to: plain)
        let converted = try Checkpoint(at: plain)
        for layer in layers {
            let name = Name(layer.module + ".weight")
            let (own, other) = (
                try QuantizedMatrix(name, in: made), try QuantizedMatrix(name, in: converted)
            )
            if layer.verdict != .accept { #expect(own == other, "\(layer.module)") }
        }
    }

    @Test func aStoppedRunKeepsItsVerdicts() throws {
        let scratch = try TemporaryFolder()
        let checkpoint = try Self.model()
        let output = scratch("out")
        var options = AdapterCreation.Options(adapter: Self.config)
        options.verdictName = "every third"
        let seen = Counter()
        let stop = StopFlag()
        options.decide = { _ in
            let number = seen.next()
            if number == 6 { stop.request() }
            return number % 3 == 0 ? .reject : .accept
        }
        var run = RunOptions()
        run.stop = stop
        let error = #expect(throws: CheckpointError.self) {
            _ = try AdapterCreation(checkpoint, options: options).run(to: output, options: run)
        }
        #expect(error?.code == .outputStopped)
        #expect(seen.value == 7)
        run.stop = nil
        run.resumes = true
        let layers = try AdapterCreation(checkpoint, options: options)
            .run(to: output, options: run).layers
        #expect(layers.count == 28 && seen.value == 28)
        #expect(layers.count { $0.verdict == .reject } == 10)
        // Another rule does not go on with what this one began.
        options.verdictName = "none"
        run.resumes = false
        run.overwrites = true
        _ = try AdapterCreation(checkpoint, options: options).run(to: output, options: run)
    }

    @Test func anOriginalHasToFitItsBase() throws {
        let scratch = try TemporaryFolder()
        let checkpoint = try Self.model()
        let base = scratch("base")
        _ = try CheckpointConverter(checkpoint, options: ConversionOptions()).run(to: base)
        let quantized = try Checkpoint(at: base)
        var other = Checkpoint.Options()
        other.allowsAnyArchitecture = true
        for (shape, code) in [
            ([4, 4], CheckpointError.Code.adapterShape), ([], .modelTensorMissing),
        ] {
            let path = scratch("original-\(shape.count).safetensors")
            let tensors = checkpoint.tensors.filter { view in
                !view.description.name.text.hasSuffix("layers.1.mlp.up_proj.weight")
            }
            var bytes = try tensors.map { view in
                var bytes = [UInt8](repeating: 0, count: view.description.byteCount)
                try bytes.withUnsafeMutableBytes { buffer in
                    var span = buffer.mutableBytes
                    try view.read(0..<view.description.elementCount, into: &span)
                }
                return TensorBytes(view.description, bytes)
            }
            if !shape.isEmpty {
                let name: Name = "model.layers.1.mlp.up_proj.weight"
                bytes.append(
                    TensorBytes(
                        TensorDescription(name: name, dtype: .float32, shape: shape),
                        [UInt8](repeating: 0, count: 64)
                    )
                )
            }
            try SafetensorsFile.write(bytes, to: path)
            let original = try Checkpoint(at: path, options: other)
            let error = #expect(throws: CheckpointError.self) {
                _ = try AdapterCreation(
                    correcting: quantized,
                    of: original,
                    options: AdapterCreation.Options(adapter: Self.config)
                )
            }
            #expect(error?.code == code)
            #expect(error?.tensor?.text == "model.layers.1.mlp.up_proj.weight")
        }
    }
}

/// Counts calls, from any thread.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func next() -> Int {
        lock.withLock {
            count += 1
            return count - 1
        }
    }

    var value: Int { lock.withLock { count } }
}
