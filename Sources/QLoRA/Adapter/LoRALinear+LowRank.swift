internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

extension LoRALinear {
    /// The active adapters as one change of the weight, for inference; nil if there is none, or one of them
    /// scales rows, which is no change of low rank.
    /// - Throws: `limit.memory`.
    func lowRankChange() throws(CheckpointError) -> LowRankChange? {
        let active = active
        guard !active.isEmpty, active.allSatisfy({ $0.magnitude == nil }) else { return nil }
        var bias: [Float]?
        var b: [Float] = []
        for adapter in active {
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
            return try LowRankChange(
                a: active.flatMap(\.a.elements),
                b: b,
                rank: active.reduce(0) { $0 + $1.rank },
                bias: bias
            )
        } catch {
            throw CheckpointError(error)
        }
    }
}
