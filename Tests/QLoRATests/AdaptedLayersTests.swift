import CheckpointIO
import Models
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct AdaptedLayersTests {
    private static func random(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in
                Float.random(in: -0.5...0.5, using: &generator)
            }
        )
    }

    /// Two layers of two kinds of weights, one with a bias.
    private static func layers() throws -> AdaptedLayers {
        var layers: [(module: String, layer: Linear)] = []
        for index in 0..<2 {
            let seed = UInt64(10 * index)
            let quantized = try random(32, 64, seed).quantized(using: .nf4)
            layers.append(
                (
                    "model.layers.\(index).q_proj",
                    Linear(try PreparedWeight(quantized), bias: random(1, 32, seed + 1).elements)
                )
            )
            layers.append(
                (
                    "model.layers.\(index).up_proj",
                    Linear(DenseWeight(random(48, 64, seed + 2), as: .bfloat16))
                )
            )
        }
        return AdaptedLayers(layers, modelType: "llama")
    }

    private static func config(_ targets: [String], rank: Int = 4, isDoRA: Bool = false)
        -> LoRAConfig
    {
        var config = LoRAConfig(rank: rank, alpha: 8, targetModules: .list(targets))
        config.usesDoRA = isDoRA
        return config
    }

    /// With two adapters whose `B` is not zero.
    private static func adapted() throws -> AdaptedLayers {
        var layers = try layers()
        var workspace = try LayerWorkspace()
        let initializer = RandomInitializer(.random)
        try layers.add(
            "one",
            config(["q_proj", "up_proj"]),
            initializer: initializer,
            seed: 1,
            workspace: &workspace
        )
        try layers.add(
            "two",
            config(["q_proj"], rank: 2, isDoRA: true),
            initializer: initializer,
            seed: 2,
            isTrainable: false,
            workspace: &workspace
        )
        return layers
    }

    private static func outputs(_ layers: AdaptedLayers) throws -> [[Float]] {
        var workspace = try LayerWorkspace()
        return try layers.tree.modules.map { module in
            let layer = try #require(layers[module.name])
            return try layer.forward(random(3, 64, 99), mode: .float32, workspace: &workspace).y
                .elements
        }
    }

    @Test func newAdaptersAreInactiveAndFreshOnesChangeNothing() throws {
        var layers = try Self.layers()
        let bare = try Self.outputs(layers)
        var workspace = try LayerWorkspace()
        try layers.add("new", Self.config(["q_proj"]), seed: 3, workspace: &workspace)
        #expect(layers.activeNames.isEmpty && layers.trainableNames == ["new"])
        try layers.activate(["new"])
        // B is zero: to the bit.
        #expect(try Self.outputs(layers) == bare)
    }

    @Test func activatesDisablesAndRemoves() throws {
        var layers = try Self.adapted()
        let bare = try Self.outputs(layers)
        try layers.activate(["one"])
        let one = try Self.outputs(layers)
        #expect(one[0] != bare[0] && one[1] != bare[1])
        try layers.activate(["one", "two"])
        let both = try Self.outputs(layers)
        // The second has only the first module of each layer.
        #expect(both[0] != one[0] && both[1] == one[1])
        let disabled = try layers.withAdaptersDisabled { try Self.outputs($0) }
        #expect(disabled == bare && layers.activeNames == ["one", "two"] && layers.isEnabled)
        #expect(try Self.outputs(layers) == both)
        // Activating changes nobody's training.
        #expect(layers.trainableNames == ["one"])
        try layers.remove("two")
        #expect(layers.adapterNames == ["one"] && layers.activeNames == ["one"])
        #expect(try Self.outputs(layers) == one)
    }

    @Test func mergesAndUnmergesExactly() throws {
        var layers = try Self.adapted()
        try layers.activate(["one", "two"])
        let active = try Self.outputs(layers)
        let codes = (layers["model.layers.0.q_proj"]?.base.weight as? PreparedWeight)?
            .quantizedMatrix()
        var workspace = try LayerWorkspace()
        try layers.merge(workspace: &workspace)
        #expect(layers.mergedNames == ["one", "two"])
        let merged = try Self.outputs(layers)
        // One rounding of bfloat16 for a dense weight, the error of NF4 for a quantized one.
        GoldenTolerance(share: 2e-2).check(merged[1], active[1], "dense")
        GoldenTolerance(share: 0.3).check(merged[0], active[0], "quantized")
        #expect(merged[0] != active[0])
        #expect(throws: CheckpointError.self) { try layers.merge(["one"], workspace: &workspace) }
        #expect(throws: CheckpointError.self) { try layers.remove("one") }
        #expect(throws: CheckpointError.self) {
            try layers.update("one", in: "model.layers.0.q_proj") { _ in }
        }
        #expect(throws: CheckpointError.self) {
            try layers.adapterOfSample(["one"], sampleCount: 1)
        }
        // What is added meanwhile is there afterwards.
        try layers.add("late", Self.config(["up_proj"]), seed: 8, workspace: &workspace)
        let bare = try layers.withAdaptersDisabled { try Self.outputs($0) }
        #expect(try bare == Self.outputs(try Self.layers()))
        layers.unmerge()
        #expect(try Self.outputs(layers) == active)
        let again = (layers["model.layers.0.q_proj"]?.base.weight as? PreparedWeight)?
            .quantizedMatrix()
        #expect(again == codes && codes != nil)
        #expect(layers["model.layers.1.up_proj"]?.adapters["late"] != nil)
        try layers.activate(["two"])
        #expect(layers.mergedNames.isEmpty)
    }

    @Test func aMergeThatFailsChangesNothing() throws {
        var layers = try Self.adapted()
        try layers.activate(["one"])
        let before = try Self.outputs(layers)
        try layers.update("one", in: "model.layers.1.up_proj") { $0.b[0, 0] = .infinity }
        var workspace = try LayerWorkspace()
        let error = #expect(throws: CheckpointError.self) {
            try layers.merge(workspace: &workspace)
        }
        #expect(error?.code == .adapterNotFinite && layers.mergedNames.isEmpty)
        let after = try Self.outputs(layers)
        #expect(after[0] == before[0] && after[1] == before[1] && after[2] == before[2])
    }

    @Test func savesWhatLoadsAgain() throws {
        let folder = try TemporaryFolder()
        var layers = try Self.adapted()
        for name in layers.adapterNames { try layers.contents(of: name).write(to: folder(name)) }
        var again = try Self.layers()
        for name in layers.adapterNames {
            try again.load(try AdapterFolder(at: folder(name)), as: name)
        }
        #expect(again.trainableNames.isEmpty)
        try layers.activate(["two", "one"])
        try again.activate(["two", "one"])
        #expect(try Self.outputs(layers) == Self.outputs(again))
    }

    @Test func namesAreCheckedAndNothingChanges() throws {
        var layers = try Self.adapted()
        var workspace = try LayerWorkspace()
        for name in ["", "a.b", "a/b", "..", "__base__", "one"] {
            let error = #expect(throws: CheckpointError.self) {
                try layers.add(name, Self.config(["q_proj"]), workspace: &workspace)
            }
            #expect(error?.code == .adapterName)
        }
        for names in [["nobody"], ["one", "one"]] {
            let error = #expect(throws: CheckpointError.self) { try layers.activate(names) }
            #expect(error?.code == .adapterName)
        }
        let nothing = #expect(throws: CheckpointError.self) {
            try layers.add("new", Self.config(["nope"]), workspace: &workspace)
        }
        #expect(nothing?.code == .adapterNoTarget)
        let base = #expect(throws: CheckpointError.self) {
            try layers.add(
                "new",
                Self.config(["up_proj"]),
                initializer: PiSSA(),
                workspace: &workspace
            )
        }
        #expect(base?.code == .adapterUnsupported)
        #expect(layers.adapterNames == ["one", "two"] && layers.activeNames.isEmpty)
    }

    @Test func namesOfMixedBatchesAreChecked() throws {
        let layers = try Self.adapted()
        #expect(
            try layers.adapterOfSample(["one", "__base__", "two"], sampleCount: 3) == [
                "one", nil, "two",
            ]
        )
        for names in [["one"], ["one", "nobody", "two"]] {
            let error = #expect(throws: CheckpointError.self) {
                try layers.adapterOfSample(names, sampleCount: 3)
            }
            #expect(error?.code == .adapterName)
        }
    }
}
