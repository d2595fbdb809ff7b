import CheckpointIO
import Foundation
import Fusing
import Machine
import Models
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct AdapterFuserTests {
    /// A base of two linear layers, an embedding and a norm, in any of the ways in which it may be stored.
    private static func base(in folder: TemporaryFolder) throws -> String {
        let path = folder("base")
        var model = TestModel.llama("LlamaForCausalLM")
        model.add("lm_head.weight", 128, 64)
        try model.write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func matrix(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        return Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in
                Float.random(in: -0.2...0.2, using: &generator)
            }
        )
    }

    /// Writes an adapter for some modules of the base, all of rank 4 and scaling 2.
    private static func adapter(
        at path: String,
        seed: UInt64,
        isDoRA: Bool = false,
        targets: [String] = ["q_proj", "down_proj"]
    ) throws {
        let shapes = ["q_proj": (64, 64), "down_proj": (64, 128)]
        var config = LoRAConfig(rank: 4, alpha: 8, targetModules: .list(targets))
        config.usesDoRA = isDoRA
        var layers: [AdapterContents.Layer] = []
        for layer in 0..<2 {
            for (place, target) in targets.enumerated() {
                let (rows, columns) = try #require(shapes[target])
                let own = seed + UInt64(10 * layer + place)
                layers.append(
                    AdapterContents.Layer(
                        "model.layers.\(layer).\(target == "q_proj" ? "self_attn" : "mlp").\(target)",
                        LoRAAdapter(
                            a: matrix(4, columns, own),
                            b: matrix(rows, 4, own + 100),
                            magnitude: isDoRA
                                ? matrix(rows, 1, own + 200).elements.map { 1 + $0 } : nil,
                            scaling: 2
                        )
                    )
                )
            }
        }
        try AdapterContents(config, layers: layers).write(to: path)
    }

    private static func fuse(
        _ base: String,
        _ adapters: [(String, Double)],
        to output: String,
        threads: Int? = nil,
        _ change: (inout AdapterFuser.Options) -> Void = { _ in }
    ) throws {
        var options = AdapterFuser.Options()
        change(&options)
        let parts = try adapters.map {
            AdapterFuser.Part(try AdapterFolder(at: $0.0), weight: $0.1)
        }
        let fuser = try AdapterFuser(try Checkpoint(at: base), parts, options: options)
        var run = RunOptions()
        run.threadCount = threads
        _ = try fuser.run(to: output, options: run)
    }

    /// What a layer in memory makes of the same adapters.
    private static func expected(
        _ base: String,
        _ adapters: [(String, Double)],
        _ module: String
    ) throws -> Matrix {
        let checkpoint = try Checkpoint(at: base)
        let name = Name(module + ".weight")
        let isQuantized = checkpoint[Name(module + ".weight.absmax")] != nil
        let weight: any LinearWeight =
            isQuantized
            ? try PreparedWeight(QuantizedMatrix(name, in: checkpoint))
            : DenseWeight(try Matrix(name, in: checkpoint))
        var layer = LoRALinear(Linear(weight))
        var names: [String] = []
        for (index, (path, weight)) in adapters.enumerated() {
            let bound = try AdapterFolder(at: path).bound(to: try ModuleTree(checkpoint))
            guard let own = bound.layers.first(where: { $0.target.module.name == module }) else {
                continue
            }
            layer.setAdapter("a\(index)", to: try own.adapter(weight: weight))
            names.append("a\(index)")
        }
        var workspace = try LayerWorkspace()
        return try layer.merged(names, workspace: &workspace).weight
    }

    @Test(arguments: [false, true], [false, true])
    func mergesWhatLayersMerge(isQuantized: Bool, isDoRA: Bool) throws {
        let folder = try TemporaryFolder()
        var base = try Self.base(in: folder)
        if isQuantized {
            let options = ConversionOptions(QuantizationConfig(.nf4, absmax: .doubleQuantized))
            let converter = try CheckpointConverter(try Checkpoint(at: base), options: options)
            base = folder("quantized")
            _ = try converter.run(to: base)
        }
        try Self.adapter(at: folder("one"), seed: 1, isDoRA: isDoRA)
        try Self.adapter(at: folder("two"), seed: 50, isDoRA: isDoRA, targets: ["q_proj"])
        let adapters = [(folder("one"), 1.0), (folder("two"), -0.5)]
        try Self.fuse(base, adapters, to: folder("fused"))
        let fused = try Checkpoint(at: folder("fused"))
        let before = try Checkpoint(at: base)
        #expect(fused.quantization == nil)
        for module in ["layers.0.self_attn.q_proj", "layers.1.mlp.down_proj"] {
            let expected = try Self.expected(base, adapters, "model." + module)
            let found = try Matrix(Name("model.\(module).weight"), in: fused)
            // Norms come from two formulas: sums of products, and the merged rows themselves.
            GoldenTolerance(share: isDoRA ? 2e-6 : 2e-7)
                .check(found.elements, expected.elements, module)
            if !isQuantized {
                let old = try Matrix(Name("model.\(module).weight"), in: before)
                #expect(found != old)
            }
        }
        let kept: Name = "model.layers.0.input_layernorm.weight"
        #expect(try fused[kept]?.finiteFloats() == before[kept]?.finiteFloats())
    }

    @Test func theBytesDoNotDependOnThreadsNorTheOrderOfWork() throws {
        let folder = try TemporaryFolder()
        let base = try Self.base(in: folder)
        try Self.adapter(at: folder("one"), seed: 1, isDoRA: true)
        let files = try [1, 2, 7].map { count in
            let output = folder("fused-\(count)")
            try Self.fuse(base, [(folder("one"), 1)], to: output, threads: count) {
                $0.dtype = .bfloat16
            }
            return try folder.bytes("fused-\(count)/model.safetensors")
        }
        #expect(files[0] == files[1] && files[0] == files[2])
    }

    @Test func anAdapterOfWeightZeroChangesNothingAndSaysSo() throws {
        let folder = try TemporaryFolder()
        let base = try Self.base(in: folder)
        try Self.adapter(at: folder("one"), seed: 1)
        let parts = [AdapterFuser.Part(try AdapterFolder(at: folder("one")), weight: 0)]
        let fuser = try AdapterFuser(try Checkpoint(at: base), parts)
        #expect(fuser.plan.warnings.contains { $0.finding.code == .adapterNoEffect })
        _ = try fuser.run(to: folder("fused"))
        let name: Name = "model.layers.0.self_attn.q_proj.weight"
        #expect(
            try Matrix(name, in: Checkpoint(at: folder("fused")))
                == Matrix(name, in: Checkpoint(at: base))
        )
    }

    @Test func convolutionsOfGPT2AreMergedTransposed() throws {
        let folder = try TemporaryFolder()
        var model = TestModel(
            "GPT2LMHeadModel",
            type: "gpt2",
            ["n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 16, "vocab_size": 40]
        )
        model.add("transformer.wte.weight", 40, 32)
        model.add("transformer.wpe.weight", 16, 32)
        for norm in ["h.0.ln_1", "h.0.ln_2", "ln_f"] {
            model.add("transformer.\(norm).weight", 32)
            model.add("transformer.\(norm).bias", 32)
        }
        for (name, inputs, outputs) in [
            ("attn.c_attn", 32, 96), ("attn.c_proj", 32, 32), ("mlp.c_fc", 32, 128),
            ("mlp.c_proj", 128, 32),
        ] {
            model.add("transformer.h.0.\(name).weight", inputs, outputs)
            model.add("transformer.h.0.\(name).bias", outputs)
        }
        try model.write(to: URL(fileURLWithPath: folder("base")))
        var config = LoRAConfig(rank: 2, alpha: 4, targetModules: .list(["c_attn"]))
        config.fanInFanOut = true
        config.hasLoRABias = true
        let adapter = LoRAAdapter(
            a: Self.matrix(2, 32, 1),
            b: Self.matrix(96, 2, 2),
            bias: Self.matrix(96, 1, 3).elements,
            scaling: 2
        )
        try AdapterContents(
            config,
            layers: [AdapterContents.Layer("transformer.h.0.attn.c_attn", adapter)]
        ).write(to: folder("adapter"))
        try Self.fuse(folder("base"), [(folder("adapter"), 1)], to: folder("fused"))
        let (before, after) = (
            try Checkpoint(at: folder("base")), try Checkpoint(at: folder("fused"))
        )
        let name: Name = "transformer.h.0.attn.c_attn.weight"
        let (old, new) = (try Matrix(name, in: before), try Matrix(name, in: after))
        let delta = adapter.delta().transposed()
        for index in old.elements.indices {
            #expect(new.elements[index] == old.elements[index] + delta.elements[index])
        }
        let bias: Name = "transformer.h.0.attn.c_attn.bias"
        let (oldBias, newBias) = (try before[bias]?.finiteFloats(), try after[bias]?.finiteFloats())
        #expect(newBias == zip(oldBias ?? [], adapter.bias ?? []).map { $0 + 2 * $1 })
    }

    @Test func convolutionsAreMergedButForThoseInGroups() throws {
        let folder = try TemporaryFolder()
        var model = TestModel("SomeNet", type: "some")
        model.add("stem.weight", 8, 3, 2, 2)
        try model.write(to: URL(fileURLWithPath: folder("base")))
        let options = Checkpoint.Options(allowsAnyArchitecture: true)
        let base = try Checkpoint(at: folder("base"), options: options)
        let config = LoRAConfig(rank: 4, alpha: 8, targetModules: .list(["stem"]))
        func fuser(_ name: String, _ adapter: LoRAAdapter, b: [Int]) throws -> AdapterFuser {
            let shapes = ([adapter.rank, adapter.inputCount / 4, 2, 2], b)
            let layer = AdapterContents.Layer("stem", adapter, kind: .convolution, shapes: shapes)
            try AdapterContents(config, layers: [layer]).write(to: folder(name))
            let part = AdapterFuser.Part(try AdapterFolder(at: folder(name)))
            return try AdapterFuser(base, [part])
        }
        let plain = LoRAAdapter(
            a: Self.matrix(4, 12, 1),
            b: Self.matrix(8, 4, 2),
            scaling: 2
        )
        _ = try fuser("plain", plain, b: [8, 4, 1, 1]).run(to: folder("fused"))
        let fused = try Checkpoint(at: folder("fused"), options: options)
        let (old, new) = (base["stem.weight"], fused["stem.weight"])
        #expect(new?.description.shape == [8, 3, 2, 2])
        let sums = zip(try old?.finiteFloats() ?? [], plain.delta().elements).map { $0 + $1 }
        #expect(try new?.finiteFloats() == sums)

        // Of other kernels, and of a convolution in groups.
        let wide = LoRAAdapter(a: Self.matrix(4, 24, 1), b: plain.b, scaling: 2)
        try expectError(.adapterUnsupported) { try fuser("wide", wide, b: [8, 4, 1, 1]) }
        let short = LoRAAdapter(a: plain.a, b: Self.matrix(6, 4, 2), scaling: 2)
        try expectError(.adapterShape) { try fuser("short", short, b: [6, 4, 1, 1]) }
        try expectError(.adapterUnsupported) { try fuser("groups", plain, b: [16, 2, 1, 1]) }
    }

    @Test func refusesWhatDoesNotFitAndWritesNothing() throws {
        let folder = try TemporaryFolder()
        let base = try Self.base(in: folder)
        try Self.adapter(at: folder("one"), seed: 1)
        // Asked for a quantized base.
        #expect(throws: CheckpointError.self) {
            try Self.fuse(base, [(folder("one"), 1)], to: folder("fused")) {
                $0.base = .dequantized
            }
        }
        #expect(throws: CheckpointError.self) {
            try Self.fuse(base, [(folder("one"), 1)], to: folder("fused")) { $0.requantizes = true }
        }
        // The adapter of another model.
        let golden = try GoldenModel.url("adapters/lora_bias").path
        let error = #expect(throws: CheckpointError.self) {
            try Self.fuse(base, [(golden, 1)], to: folder("fused"))
        }
        #expect(error?.code == .adapterShape)
        #expect(try folder.listing() == ["base", "one"])
    }

    @Test func foldersAreReadAsTheyWereWritten() throws {
        let folder = try TemporaryFolder()
        let base = try Self.base(in: folder)
        try Self.adapter(at: folder("one"), seed: 4, isDoRA: true)
        let tree = try ModuleTree(try Checkpoint(at: base))
        let bound = try AdapterFolder(at: folder("one")).bound(to: tree)
        #expect(bound.layers.count == 4)
        let first = try #require(
            bound.layers.first { $0.target.module.name == "model.layers.0.self_attn.q_proj" }
        )
        let adapter = try first.adapter()
        #expect(adapter.a == Self.matrix(4, 64, 4))
        #expect(adapter.b == Self.matrix(64, 4, 104))
        #expect(adapter.scaling == 2 && adapter.magnitude?.count == 64)
        #expect(try folder.listing("one").contains("adapter_config.json"))
    }
}
