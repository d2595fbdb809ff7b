internal import CheckpointIO
internal import Machine
internal import QLoRA
internal import Quant
internal import Tensors

/// How long the splitting of layers takes, from one that is measured.
struct TimeEstimate {
    private static let side = 1024
    private let decomposer: LayerDecomposer
    private let workers: WorkerPool

    init(_ decomposer: LayerDecomposer, on workers: WorkerPool) {
        self.decomposer = decomposer
        self.workers = workers
    }

    /// Seconds for all layers: those of a matrix of normal numbers, by the number of elements.
    func seconds(_ targets: [ModuleSelection.Target]) throws(CheckpointError) -> Double {
        var known: [Int: Double] = [:]
        var sum = 0.0
        for target in targets {
            let count = Double(target.module.shape.reduce(1, *))
            let rank = min(target.rank, Self.side / 8)
            let rate: Double
            if let found = known[rank] {
                rate = found
            } else {
                rate = try secondsPerElement(rank)
                known[rank] = rate
            }
            sum += rate * count * Double(target.rank) / Double(rank)
        }
        return sum
    }

    private func secondsPerElement(_ rank: Int) throws(CheckpointError) -> Double {
        var generator = SplitMix64(seed: 1)
        let elements = (0..<Self.side * Self.side).map { _ in
            // A sum of uniform numbers will do.
            Float(generator.next() >> 44) - Float(generator.next() >> 44)
        }
        let weight = Matrix(rowCount: Self.side, columnCount: Self.side, elements: elements)
        let start = ContinuousClock.now
        _ = try decomposer.sample(weight, rank: rank, on: workers)
        let time = (ContinuousClock.now - start).components
        let seconds = Double(time.seconds) + 1e-18 * Double(time.attoseconds)
        return seconds / Double(Self.side * Self.side)
    }
}
