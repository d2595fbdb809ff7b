import CheckpointIO
import Machine
import Quant
import Tensors
import TestSupport
import Testing

/// Weights that hold NaN or infinity.
@Suite struct NonFiniteTests {
    /// A checkpoint with a sound weight, and one with an element of a value.
    private func checkpoint(_ value: Float, in folder: TemporaryFolder) throws -> Checkpoint {
        var generator = SeededGenerator(seed: 3)
        var elements = (0..<64 * 96).map { _ in Float.random(in: -1...1, using: &generator) }
        let sound = Matrix(rowCount: 64, columnCount: 96, elements: elements)
        elements[5000] = value
        let odd = Matrix(rowCount: 64, columnCount: 96, elements: elements)
        try SafetensorsFile.write(
            [sound.tensor(named: "sound.weight"), odd.tensor(named: "odd.weight")],
            to: folder("source.safetensors")
        )
        return try Checkpoint(
            at: folder("source.safetensors"),
            options: .init(allowsAnyArchitecture: true)
        )
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func areRefusedOrKept(value: Float) throws {
        let folder = try TemporaryFolder()
        let model = try checkpoint(value, in: folder)
        var options = ConversionOptions()
        let error = try expectError(.numNonFinite) {
            try CheckpointConverter(model, options: options).run(to: folder("refused"))
        }
        #expect(error.tensor == "odd.weight")
        #expect(error.message.contains("element 5000"))

        options.keepsNonFinite = true
        let converter = try CheckpointConverter(model, options: options)
        #expect(converter.plan.warnings.map(\.finding.code).contains(.numNonFinite))
        let actions = converter.plan.tensors.map { ($0.name, $0.action) }
        #expect(actions.contains { $0 == "odd.weight" && $1 == .keep(.nonFinite) })
        _ = try converter.run(to: folder("kept"))
        let kept = try Checkpoint(at: folder("kept"), options: .init(allowsAnyArchitecture: true))
        #expect(kept["odd.weight"]?.storedType == "F32")
        #expect(kept["sound.weight"]?.storedType == "U8")
    }

    @Test func areLookedForWithinTheMemory() throws {
        let folder = try TemporaryFolder()
        let model = try checkpoint(.nan, in: folder)
        var options = ConversionOptions()
        options.keepsNonFinite = true
        var running = RunOptions()
        running.threadCount = 1
        running.budget = MemoryBudget(limitByteCount: 1000)
        try expectError(.limitMemory) {
            try CheckpointConverter(model, options: options, running: running)
        }
        // What was taken for the look is given back.
        running.budget = MemoryBudget(limitByteCount: 1 << 20)
        _ = try CheckpointConverter(model, options: options, running: running)
        #expect(running.budget.inUseByteCount == 0)
    }
}
