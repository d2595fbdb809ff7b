internal import Machine
internal import Models
internal import QLoRA
internal import Quant
internal import SIMDKernels
internal import Tensors

/// One layer with its buffers, ready to be run again and again.
struct LayerBench {
    private let task: LayerBenchmark.Task
    private let way: LayerBenchmark.Way
    /// As many as exceed the caches, used in turn, where one row reads the weight from memory.
    private var layers: [LoRALinear] = []
    /// The same as a model runs them; none where they are trained.
    private var running: [any LinearLayer] = []
    /// For each row of activations its sample.
    private let samples: [Int]
    private var turn = 0
    private var workspace: LayerBuffers
    private let x: [Float]
    private var y: [Float]
    private var dx: [Float]
    private var gradients: [String: LoRAGradients]

    init(_ task: LayerBenchmark.Task, _ way: LayerBenchmark.Way) throws {
        self.task = task
        self.way = way
        var generator = SplitMix64(seed: 7)
        func random(_ rows: Int, _ columns: Int) -> Matrix {
            .random(rows, columns, &generator)
        }
        workspace = try LayerBuffers()
        let weight = try random(task.outputs, task.inputs).quantized(using: .nf4)
        let names = ["a", "b", "c", "d"].prefix(way == .mixed ? 4 : way == .bare ? 0 : 1)
        samples = (0..<task.rows).map { $0 * Self.adapterOfSample.count / task.rows }
        let arena = MemoryArena(expecting: 64 << 20)
        let copies = task.rows == 1 ? max(1, (64 << 20) / (task.outputs * task.inputs / 2)) : 1
        for _ in 0..<copies {
            var layer = LoRALinear(Linear(try PreparedWeight(weight)))
            for name in names {
                var adapter = LoRAAdapter(
                    a: random(LayerBenchmark.rank, task.inputs),
                    b: random(task.outputs, LayerBenchmark.rank),
                    scaling: 2
                )
                if way == .dora {
                    // As after some training: near the norms of the merged rows.
                    try adapter.resetMagnitude(on: layer.base, workspace: &workspace.layer)
                    adapter.magnitude = adapter.magnitude?.map { $0 * 1.05 }
                }
                layer.setAdapter(name, to: adapter)
            }
            layer.activate(way == .mixed ? [] : Array(names))
            layers.append(layer)
            if !task.goesBack { running.append(try Self.running(layer, way, arena)) }
        }
        x = random(task.rows, task.inputs).elements
        y = [Float](repeating: 0, count: task.rows * task.outputs)
        dx = task.goesBack ? [Float](repeating: 0, count: task.rows * task.inputs) : []
        gradients = task.goesBack ? layers[0].adapters.mapValues { LoRAGradients(of: $0) } : [:]
    }

    /// The adapters of a mixed batch.
    private static let adapterOfSample: [String?] = ["a", "b", "c", "d", "a", "b", "c", "d"]

    private static func running(
        _ layer: LoRALinear,
        _ way: LayerBenchmark.Way,
        _ arena: MemoryArena
    ) throws -> any LinearLayer {
        switch way {
        case .bare: layer.base
        case .lora, .dora: try AdaptedLinear(layer, in: arena)
        case .mixed:
            try MixedLinear(
                shared: layer,
                separate: [:],
                adapterOfSample: adapterOfSample,
                in: arena
            )
        }
    }

    mutating func run(mode: ComputeMode, on workers: WorkerPool) throws {
        turn = (turn + 1) % layers.count
        guard task.goesBack else {
            let pass = LayerPass(mode: mode, on: workers, samples: samples)
            try x.withFloatSpan { x in
                try y.withMutableFloatSpan { y in
                    try pass.forward([running[turn]], x, into: &y, &workspace.layer)
                }
            }
            return
        }
        // What a step of training does: norms of the merged rows are not those of the step before.
        for name in layers[turn].activeNames {
            layers[turn].updateAdapter(name) { $0.b[0, 0] += 1e-3 }
        }
        layers[turn].activate(way == .bare ? [] : ["a"])
        let layer = layers[turn]
        try x.withFloatSpan { x in
            try y.withMutableFloatSpan { y in
                try layer.forward(
                    x,
                    into: &y,
                    mode: mode,
                    saved: &workspace.saved,
                    workspace: &workspace.layer,
                    on: workers
                )
            }
            try y.withFloatSpan { y in
                try dx.withMutableFloatSpan { dx in
                    try layer.backward(
                        y,
                        x: x,
                        y: y,
                        into: &dx,
                        gradients: &gradients,
                        saved: workspace.saved,
                        mode: mode,
                        workspace: &workspace.layer,
                        on: workers
                    )
                }
            }
        }
    }

    /// Everything that is in memory for one layer.
    var byteCount: Int {
        // Gradients of the outputs are the outputs themselves here; a model has both.
        let activations = x.count + y.count + (task.goesBack ? y.count + dx.count : 0)
        let factors = layers[0].adapters.values.reduce(0) {
            $0 + $1.a.elements.count + $1.b.elements.count + ($1.magnitude?.count ?? 0)
        }
        let weight = task.outputs * task.inputs * 9 / 16
        // Trained ones have gradients; a model keeps factors in bfloat16 beside those of float32.
        return 4 * activations + factors * (task.goesBack ? 8 : 6) + weight
            + workspace.layer.byteCount
    }
}

/// Scratch memory, and what a pass saves.
final class LayerBuffers {
    var layer: LayerWorkspace
    var saved = LoRALinear.Saved()

    init() throws { layer = try LayerWorkspace() }
}
