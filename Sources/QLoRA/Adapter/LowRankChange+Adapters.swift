internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

extension LowRankChange {
    /// Adapters of one layer as one change of its weight, for inference; nil if there is none, or one of
    /// them scales rows, which is no change of low rank.
    /// - Throws: `limit.memory`.
    convenience init?(
        _ adapters: [LoRAAdapter],
        in arena: MemoryArena
    ) throws(CheckpointError) {
        guard !adapters.isEmpty, adapters.allSatisfy({ $0.magnitude == nil }) else { return nil }
        var bias: [Float]?
        var b: [Float] = []
        for adapter in adapters {
            let scaling = Float(adapter.scaling)
            for column in 0..<adapter.rank {
                for row in 0..<adapter.outputCount {
                    b.append(scaling * adapter.b.elements[row * adapter.rank + column])
                }
            }
            guard let own = adapter.bias else { continue }
            var sum = bias ?? [Float](repeating: 0, count: own.count)
            for place in own.indices { sum[place] += scaling * own[place] }
            bias = sum
        }
        do throws(AllocationError) {
            try self.init(
                a: adapters.flatMap(\.a.elements),
                b: b,
                rank: adapters.reduce(0) { $0 + $1.rank },
                bias: bias,
                in: arena
            )
        } catch {
            throw CheckpointError(error)
        }
    }
}
