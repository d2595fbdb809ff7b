import Models
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct LoRAEmbeddingTests {
    static let cases = Result {
        try LayerCase.all("embedding") + LayerCase.all("dora").filter { $0.fields.kind == "emb" }
    }

    private func layer(_ golden: LayerCase) throws -> LoRAEmbedding {
        let base = Embedding(
            DenseWeight(
                try golden.matrix("W"),
                as: golden.fields.dtype == "bf16" ? .bfloat16 : .float32
            ),
            paddingIndex: golden.fields.paddingIndex,
            scale: Float(golden.fields.embedScale)
        )
        var layer = LoRAEmbedding(base)
        let adapter = golden.fields.adapters[0]
        layer.setAdapter(
            "a0",
            to: LoRAAdapter(
                a: try golden.matrix("a0.A"),
                b: try golden.matrix("a0.B"),
                magnitude: try golden.tensor("a0.m").map { _ in try golden.numbers("a0.m") },
                scaling: adapter.scaling
            )
        )
        layer.activate(["a0"])
        return layer
    }

    private func tokens(_ golden: LayerCase) throws -> [Int] {
        let bytes = try #require(golden.tensor("ids") ?? golden.tensor("x")).bytes
        return stride(from: 0, to: bytes.count, by: 8).map {
            Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8
        }
    }

    @Test(arguments: try cases.get()) func matchesPEFT(golden: LayerCase) throws {
        let layer = try layer(golden)
        var workspace = try LayerWorkspace()
        let pass = try layer.forward(tokens(golden), workspace: &workspace)
        let gradients = try #require(
            try layer.backward(golden.matrix("dy"), of: pass, workspace: &workspace)["a0"]
        )
        let isDoRA = golden.tensor("a0.m") != nil
        let share: Float = golden.fields.dtype == "bf16" ? 2e-2 : isDoRA ? 1e-5 : 4e-6
        let tolerance = GoldenTolerance(share: share)
        tolerance.check(pass.y.elements, try golden.numbers("y"), "y")
        tolerance.check(gradients.a.elements, try golden.numbers("a0.dA"), "dA")
        tolerance.check(gradients.b.elements, try golden.numbers("a0.dB"), "dB")
        if isDoRA {
            tolerance.check(gradients.magnitude ?? [], try golden.numbers("a0.dm"), "dm")
        }
    }

    @Test func theGoldenCasesAreThere() throws { #expect(try Self.cases.get().count >= 6) }
}
