import Models
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct LoRAConvolutionTests {
    static let cases = Result {
        try LayerCase.all("conv") + LayerCase.all("dora").filter { $0.fields.kind == "conv" }
    }

    /// A tensor with its trailing dimensions flattened.
    private static func flattened(_ golden: LayerCase, _ name: String) throws -> Matrix {
        let shape = try golden.shape(name)
        return Matrix(
            rowCount: shape[0],
            columnCount: shape.dropFirst().reduce(1, *),
            elements: try golden.numbers(name)
        )
    }

    private static func layer(_ golden: LayerCase) throws -> LoRAConvolution {
        let sizes = golden.fields.convolution
        let shape = try golden.shape("W")
        let kernel = Array(shape.dropFirst(2))
        let groups = sizes["groups"]?[0] ?? 1
        var layer = LoRAConvolution(
            try flattened(golden, "W"),
            bias: try golden.tensor("bias").map { _ in try golden.numbers("bias") },
            channelCount: shape[1] * groups,
            groupCount: groups,
            geometry: ConvolutionGeometry(
                kernel: kernel,
                stride: sizes["stride"] ?? [1],
                dilation: sizes["dilation"] ?? [1],
                padding: golden.fields.paddingName == "same"
                    ? .same : .zeros(sizes["padding"] ?? [0])
            )
        )
        let settings = golden.fields.adapters[0]
        let (a, b) = (try flattened(golden, "a0.A"), try flattened(golden, "a0.B"))
        let bias = try golden.tensor("a0.lora_bias").map { _ in try golden.numbers("a0.lora_bias") }
        if groups > 1 {
            layer.setGroupedAdapter("a0", a: a, b: b, bias: bias, scaling: settings.scaling)
        } else {
            layer.setAdapter(
                "a0",
                to: LoRAAdapter(
                    a: a,
                    b: b,
                    bias: bias,
                    magnitude: try golden.tensor("a0.m").map { _ in try golden.numbers("a0.m") },
                    scaling: settings.scaling,
                    dropout: settings.dropout
                )
            )
        }
        layer.linear.activate(["a0"])
        return layer
    }

    @Test(arguments: try cases.get()) func matchesPEFT(golden: LayerCase) throws {
        let layer = try Self.layer(golden)
        var workspace = try LayerWorkspace()
        let lengths = Array(try golden.shape("x").dropFirst(2))
        let pass = try layer.forward(
            golden.numbers("x"),
            lengths: lengths,
            dropout: golden.dropout(),
            workspace: &workspace
        )
        let tolerance = GoldenTolerance(share: golden.tensor("a0.m") == nil ? 4e-6 : 1e-5)
        #expect(pass.lengths == Array(try golden.shape("y").dropFirst(2)))
        // There the adapter has another dilation than the layer, so that merging changes the function.
        if golden.fields.convolution["dilation"] != nil {
            return try mergingChangesNothing(layer, golden.numbers("x"), lengths)
        }
        let (dx, all) = try layer.backward(golden.numbers("dy"), of: pass, workspace: &workspace)
        let gradients = try #require(all["a0"])
        tolerance.check(pass.y, try golden.numbers("y"), "y")
        tolerance.check(dx, try golden.numbers("dx"), "dx")
        tolerance.check(gradients.a.elements, try golden.numbers("a0.dA"), "dA")
        tolerance.check(layer.grouped(gradients.b).elements, try golden.numbers("a0.dB"), "dB")
        if golden.tensor("a0.dlora_bias") != nil {
            tolerance.check(gradients.bias ?? [], try golden.numbers("a0.dlora_bias"), "dc")
        }
        if golden.tensor("a0.dm") != nil {
            tolerance.check(gradients.magnitude ?? [], try golden.numbers("a0.dm"), "dm")
        }
        if golden.tensor("merged") != nil {
            let merged = try layer.linear.merged(workspace: &workspace).weight
            tolerance.check(merged.elements, try golden.numbers("merged"), "merged")
        }
        if golden.tensor("y_eval") != nil {
            let evaluated = try layer.forward(
                golden.numbers("x"),
                lengths: lengths,
                workspace: &workspace
            )
            tolerance.check(evaluated.y, try golden.numbers("y_eval"), "y_eval")
        }
    }

    private func mergingChangesNothing(
        _ layer: LoRAConvolution,
        _ x: [Float],
        _ lengths: [Int]
    ) throws {
        var workspace = try LayerWorkspace()
        let expected = try layer.forward(x, lengths: lengths, workspace: &workspace).y
        let (weight, bias) = try layer.linear.merged(workspace: &workspace)
        let merged = LoRAConvolution(
            weight,
            bias: bias,
            channelCount: layer.channelCount,
            geometry: layer.geometry
        )
        let found = try merged.forward(x, lengths: lengths, workspace: &workspace).y
        GoldenTolerance(share: 4e-6).check(found, expected, "merged")
    }

    @Test func theGoldenCasesAreThere() throws { #expect(try Self.cases.get().count >= 12) }

    /// `Σ dy · conv(x)` is the same from either side: patches and their sums are transposes.
    @Test(arguments: [
        ConvolutionGeometry(kernel: [3], stride: [2], padding: .zeros([1])),
        ConvolutionGeometry(
            kernel: [2, 3],
            stride: [1, 2],
            dilation: [2, 1],
            padding: .zeros([0, 2])
        ),
        ConvolutionGeometry(kernel: [2, 3], dilation: [3, 1], padding: .same),
        ConvolutionGeometry(kernel: [1, 2, 2], stride: [2, 1, 1]),
    ])
    func sumsOfPatchesAreTheTranspose(geometry: ConvolutionGeometry) {
        var generator = SeededGenerator(seed: 2)
        let lengths = [7, 6, 5].suffix(geometry.kernel.count)
        let (samples, channels) = (2, 3)
        let count = samples * channels * lengths.reduce(1, *)
        let x = (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
        let patches = geometry.patches(
            of: x,
            samples: samples,
            channels: channels,
            lengths: Array(lengths)
        )
        let weights = patches.map { _ in Float.random(in: -1...1, using: &generator) }
        let back = geometry.sum(
            ofPatches: weights,
            samples: samples,
            channels: channels,
            lengths: Array(lengths)
        )
        let left = zip(patches, weights).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        let right = zip(x, back).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        #expect(abs(left - right) < 1e-4)
    }
}
