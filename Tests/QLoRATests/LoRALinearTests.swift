import Machine
import Models
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

@testable import QLoRA

/// One forward and backward pass.
struct LinearPass {
    var y: [Float]
    var dx: [Float]
    var gradients: [String: LoRAGradients]

    init(
        _ layer: LoRALinear,
        x: [Float],
        dy: [Float]?,
        dropout: Dropout = .off,
        mode: ComputeMode = .float32,
        threadCount: Int = 2
    ) throws {
        let rows = x.count / layer.base.inputCount
        var workspace = try LayerWorkspace()
        var saved = LoRALinear.Saved()
        var (y, dx) = (
            [Float](repeating: .nan, count: rows * layer.base.outputCount),
            [Float](repeating: .nan, count: x.count)
        )
        var gradients = layer.adapters.mapValues { LoRAGradients(of: $0) }
        let workers = WorkerPool.shared(threadCount: threadCount)
        try x.withFloatSpan { x in
            try y.withMutableFloatSpan { y in
                try layer.forward(
                    x,
                    into: &y,
                    mode: mode,
                    dropout: dropout,
                    saved: &saved,
                    workspace: &workspace,
                    on: workers
                )
            }
            guard let dy else { return }
            try dy.withFloatSpan { dy in
                try y.withFloatSpan { y in
                    try dx.withMutableFloatSpan { dx in
                        try layer.backward(
                            dy,
                            x: x,
                            y: y,
                            into: &dx,
                            gradients: &gradients,
                            saved: saved,
                            mode: mode,
                            workspace: &workspace,
                            on: workers
                        )
                    }
                }
            }
        }
        self.y = y
        self.dx = dx
        self.gradients = gradients
    }
}

@Suite struct LoRALinearTests {
    static let linear = Result { try LayerCase.all("linear") }
    static let quantized = Result { try LayerCase.all("linear_quantized") }
    static let dora = Result {
        try LayerCase.all("dora").filter {
            !["emb", "conv"].contains($0.fields.kind) && $0.id != "two"
        }
    }
    static let cases = Result { try linear.get() + quantized.get() + dora.get() }

    @Test func theGoldenCasesAreThere() throws {
        #expect(try Self.linear.get().count >= 12)
        #expect(try Self.quantized.get().count >= 7)
        #expect(try Self.dora.get().count >= 9)
    }

    private func layer(_ golden: LayerCase, decoded: Bool = false) throws -> LoRALinear {
        var layer = LoRALinear(try golden.base(decoded: decoded))
        let adapters = try golden.linearAdapters()
        for (index, adapter) in adapters.enumerated() { layer.setAdapter("a\(index)", to: adapter) }
        layer.activate(adapters.indices.map { "a\($0)" })
        return layer
    }

    @Test(arguments: try cases.get()) func matchesPEFT(golden: LayerCase) throws {
        let layer = try layer(golden, decoded: golden.fields.dtype != "f32")
        let pass = try LinearPass(
            layer,
            x: golden.numbers("x"),
            dy: golden.numbers("dy"),
            dropout: golden.dropout()
        )
        let isDoRA = golden.tensor("a0.m") != nil
        let isNarrowAdapter = golden.tensor("a0.A")?.dtype != "F32"
        let float = GoldenTolerance(share: isDoRA ? 1e-5 : 4e-6)
        let factors = GoldenTolerance(share: isNarrowAdapter ? 1e-2 : 1e-5)
        if golden.fields.dtype == "f32" {
            float.check(pass.y, try golden.numbers("y"), "y")
            float.check(pass.dx, try golden.numbers("dx"), "dx")
        } else {
            try checkNarrow(golden, layer, pass, isDoRA: isDoRA)
        }
        for index in golden.fields.adapters.indices {
            let own = try #require(pass.gradients["a\(index)"])
            factors.check(own.a.elements, try golden.numbers("a\(index).dA"), "dA")
            factors.check(own.b.elements, try golden.numbers("a\(index).dB"), "dB")
            if golden.tensor("a\(index).dlora_bias") != nil {
                factors.check(own.bias ?? [], try golden.numbers("a\(index).dlora_bias"), "dc")
            }
            if golden.tensor("a\(index).dm") != nil {
                let share: Float = golden.fields.dtype == "f32" ? 1e-5 : 1e-2
                GoldenTolerance(share: share).check(
                    own.magnitude ?? [],
                    try golden.numbers("a\(index).dm"),
                    "dm"
                )
            }
        }
        if golden.tensor("y_eval") != nil {
            let evaluated = try LinearPass(layer, x: golden.numbers("x"), dy: nil)
            float.check(evaluated.y, try golden.numbers("y_eval"), "y_eval")
        }
    }

    /// 16-bit bases: the reference rounds the base product, and again with each adapter.
    private func checkNarrow(
        _ golden: LayerCase,
        _ layer: LoRALinear,
        _ pass: LinearPass,
        isDoRA: Bool
    ) throws {
        var bare = layer
        bare.activate([])
        let base = try LinearPass(bare, x: golden.numbers("x"), dy: golden.numbers("dy"))
        let precision = golden.fields.dtype == "bf16" ? 8 : 11
        GoldenTolerance.checkUnits(
            pass.y,
            try golden.numbers("y"),
            largest: base.y,
            units: isDoRA ? 2 : Float(1 + layer.adapters.count),
            precision: precision,
            "y"
        )
        if isDoRA {
            GoldenTolerance(share: 1e-2).check(pass.dx, try golden.numbers("dx"), "dx")
        } else {
            GoldenTolerance.checkUnits(
                pass.dx,
                try golden.numbers("dx"),
                largest: base.dx,
                units: 3,
                precision: precision,
                "dx"
            )
        }
    }

    /// A quantized base does what a dense one with the decoded weight does.
    @Test(arguments: try quantized.get() + dora.get())
    func quantizedBasesAreTheirDecodedWeights(golden: LayerCase) throws {
        let quantized = try layer(golden)
        guard quantized.base.weight is PreparedWeight else { return }
        let decoded = quantized.base.weight.dequantized()
        var dense = LoRALinear(Linear(DenseWeight(decoded), bias: quantized.base.bias))
        for (name, adapter) in quantized.adapters { dense.setAdapter(name, to: adapter) }
        dense.activate(quantized.activeNames)
        let passes = try [quantized, dense].map { layer in
            try LinearPass(
                layer,
                x: golden.numbers("x"),
                dy: golden.numbers("dy"),
                dropout: golden.dropout()
            )
        }
        let tolerance = GoldenTolerance(share: 4e-6)
        tolerance.check(passes[0].y, passes[1].y, "y")
        tolerance.check(passes[0].dx, passes[1].dx, "dx")
        for name in quantized.activeNames {
            let (own, expected) = (passes[0].gradients[name], passes[1].gradients[name])
            tolerance.check(own?.a.elements ?? [], expected?.a.elements ?? [], "dA")
            tolerance.check(own?.b.elements ?? [], expected?.b.elements ?? [], "dB")
            tolerance.check(own?.magnitude ?? [], expected?.magnitude ?? [], "dm")
        }
    }

    /// In evaluation the adapters apply one after the other; in training with dropout the reference adds
    /// them, which is another function, and so it is refused here.
    @Test func twoDoRAAdaptersComposeInEvaluation() throws {
        let golden = try #require(try LayerCase.all("dora").first { $0.id == "two" })
        let layer = try layer(golden)
        let pass = try LinearPass(layer, x: golden.numbers("x"), dy: golden.numbers("dy"))
        let tolerance = GoldenTolerance(share: 1e-5)
        tolerance.check(pass.y, try golden.numbers("eval.y"), "y")
        tolerance.check(pass.dx, try golden.numbers("eval.dx"), "dx")
        for name in ["a0", "a1"] {
            let own = try #require(pass.gradients[name])
            tolerance.check(own.a.elements, try golden.numbers("eval.\(name).dA"), "dA")
            tolerance.check(own.b.elements, try golden.numbers("eval.\(name).dB"), "dB")
            tolerance.check(own.magnitude ?? [], try golden.numbers("eval.\(name).dm"), "dm")
        }
        var workspace = try LayerWorkspace()
        let merged = try layer.merged(workspace: &workspace)
        tolerance.check(merged.weight.elements, try golden.numbers("merged"), "merged")
    }

    /// Each sample gets what a batch of its own with its adapter would get; also with DoRA.
    @Test(arguments: [1, 3]) func mixedBatchesAreTheirSamples(rowsOfSample: Int) throws {
        var generator = SeededGenerator(seed: 21)
        func random(_ rows: Int, _ columns: Int) -> Matrix {
            Matrix(
                rowCount: rows,
                columnCount: columns,
                elements: (0..<rows * columns).map { _ in
                    Float.random(in: -1...1, using: &generator)
                }
            )
        }
        let (outputs, inputs) = (48, 64)
        let weight = try random(outputs, inputs).quantized(using: .nf4)
        var layer = LoRALinear(
            Linear(try PreparedWeight(weight), bias: random(1, outputs).elements)
        )
        for (index, name) in ["plain", "dora", "other"].enumerated() {
            layer.setAdapter(
                name,
                to: LoRAAdapter(
                    a: random(2 + index, inputs),
                    b: random(outputs, 2 + index),
                    bias: name == "plain" ? random(1, outputs).elements : nil,
                    magnitude: name == "dora" ? random(1, outputs).elements : nil,
                    scaling: 1.5
                )
            )
        }
        let names: [String?] = ["dora", nil, "plain", "other", "plain", "nowhere"]
        let x = random(names.count * rowsOfSample, inputs)
        var y = [Float](repeating: .nan, count: x.rowCount * outputs)
        var workspace = try LayerWorkspace()
        try x.elements.withFloatSpan { x in
            try y.withMutableFloatSpan {
                try layer.forward(
                    x,
                    into: &$0,
                    adapterOfSample: names,
                    mode: .float32,
                    workspace: &workspace
                )
            }
        }
        for (sample, name) in names.enumerated() {
            let rows = sample * rowsOfSample..<(sample + 1) * rowsOfSample
            layer.activate([name ?? "nowhere"])
            let expected = try layer.forward(
                x.rows(in: rows).copy,
                mode: .float32,
                workspace: &workspace
            ).y
            let own = Array(y[rows.lowerBound * outputs..<rows.upperBound * outputs])
            GoldenTolerance(share: 1e-6).check(own, expected.elements, "sample \(sample)")
        }
    }

    @Test(arguments: try dora.get()) func normsMatchPEFT(golden: LayerCase) throws {
        let layer = try layer(golden, decoded: golden.fields.dtype != "f32")
        var workspace = try LayerWorkspace()
        var adapter = try #require(layer.adapters["a0"])
        let norms = try adapter.rowNorms(on: layer.base, workspace: &workspace, workers: .single)
        // The golden norms are from float64; sums are in Double here, products in float32.
        GoldenTolerance(share: 1e-6).check(norms, try golden.numbers("weight_norm"), "norms")
        adapter.b = Matrix(rowCount: adapter.outputCount, columnCount: adapter.rank)
        try adapter.resetMagnitude(on: layer.base, workspace: &workspace)
        let fresh = try golden.numbers("a0.m_fresh")
        if golden.fields.dtype == "f32" {
            GoldenTolerance(share: 2e-6).check(adapter.magnitude ?? [], fresh, "m_fresh")
        } else {
            GoldenTolerance.checkUnits(
                adapter.magnitude ?? [],
                fresh,
                largest: fresh,
                units: 1,
                precision: 8,
                "m_fresh"
            )
        }
    }

    @Test(arguments: try linear.get() + dora.get()) func mergesAsPEFT(golden: LayerCase) throws {
        let layer = try layer(golden)
        guard layer.base.weight is DenseWeight else { return }
        var workspace = try LayerWorkspace()
        let isNarrowAdapter = golden.tensor("a0.A")?.dtype != "F32"
        for (index, adapter) in try golden.linearAdapters().enumerated() {
            guard golden.tensor("a\(index).delta") != nil else { continue }
            let delta = adapter.delta()
            let stored = golden.fields.kind == "Conv1D" ? delta.transposed() : delta
            // bfloat16 factors: the reference rounds the delta.
            GoldenTolerance(share: isNarrowAdapter ? 0x1p-8 : 1e-6).check(
                stored.elements,
                try golden.numbers("a\(index).delta"),
                "delta"
            )
        }
        let (weight, bias) = try layer.merged(workspace: &workspace)
        let isTransposed = ["fan", "Conv1D"].contains(golden.fields.kind)
        let stored = isTransposed ? weight.transposed() : weight
        let expected = try golden.numbers("merged")
        if golden.fields.dtype == "f32" {
            GoldenTolerance(share: 1e-5).check(stored.elements, expected, "merged")
        } else {
            // Several adapters, or factors of the same type: rounded once here, each time there.
            var largest = try golden.numbers("W").map(\.magnitude)
            for adapter in layer.adapters.values {
                for (index, term) in adapter.delta().elements.enumerated() {
                    largest[index] += term.magnitude
                }
            }
            GoldenTolerance.checkUnits(
                stored.elements,
                expected,
                largest: largest,
                units: isNarrowAdapter || golden.fields.adapters.count > 1 ? 1 : 0,
                precision: golden.fields.dtype == "bf16" ? 8 : 11,
                "merged"
            )
        }
        if golden.tensor("merged_bias") != nil {
            GoldenTolerance(share: golden.fields.dtype == "f32" ? 4e-6 : 0x1p-8).check(
                bias ?? [],
                try golden.numbers("merged_bias"),
                "merged_bias"
            )
        }
    }

    /// Merged into a quantized weight and quantized again: single codes may be one step off where the
    /// sums differ in the last bit. (Of weights of bfloat16 origin the reference rounds the decoded ones.)
    @Test(arguments: try quantized.get() + dora.get())
    func requantizesAsPEFT(golden: LayerCase) throws {
        guard golden.fields.dtype == "f32", golden.fields.adapters.count == 1,
            let weight = try golden.base().weight as? PreparedWeight,
            let expected = golden.tensor("merged.packed") ?? golden.tensor("merged.CB")
        else { return }
        var workspace = try LayerWorkspace()
        let merged = try layer(golden).merged(workspace: &workspace).weight
        let found = try merged.quantized(using: weight.config)
        let is4Bit = golden.tensor("merged.packed") != nil
        // FP4 has two zeros, which stand for the same.
        func codes(_ byte: UInt8) -> [Int] {
            guard is4Bit else { return [Int(Int8(bitPattern: byte))] }
            return [byte >> 4, byte & 15].map {
                $0 == 8 && golden.fields.format == "fp4" ? 0 : Int($0)
            }
        }
        var differing = 0
        for (own, other) in zip(found.codes, expected.bytes) {
            for (own, other) in zip(codes(own), codes(other)) where own != other {
                differing += 1
                // Codes of FP4 are not in the order of their values.
                #expect(golden.fields.format == "fp4" || abs(own - other) <= 1)
            }
        }
        #expect(found.codes.count == expected.bytes.count)
        #expect(
            differing <= max(1, expected.bytes.count / 500),
            "\(differing) of \(found.codes.count)"
        )
    }

    @Test(arguments: try quantized.get() + dora.get())
    func preparedWeightsGiveBackTheirCodes(golden: LayerCase) throws {
        let base = try golden.base()
        guard let prepared = base.weight as? PreparedWeight else { return }
        let canonical = prepared.quantizedMatrix()
        #expect(canonical.codes == (golden.tensor("packed") ?? golden.tensor("CB"))?.bytes)
        let expected = try golden.numbers(
            golden.tensor("W_dequantized") == nil ? "W" : "W_dequantized"
        )
        let share: Float = golden.fields.dtype == "f32" ? 1e-7 : 0x1p-8
        GoldenTolerance(share: share).check(base.weight.dequantized().elements, expected, "W")
    }
}
