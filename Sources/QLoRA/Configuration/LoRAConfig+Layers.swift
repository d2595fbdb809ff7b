package import CheckpointIO

extension LoRAConfig {
    /// The layers of the stack that an adapter makes of a model with so many (`layer_replication`), in order; nil
    /// leaves it as it is.
    /// - Throws: `adapter.range` for layers that there are not.
    package func layerOrder(of layerCount: Int) throws(CheckpointError) -> [Int]? {
        guard !layerReplication.isEmpty else { return nil }
        if let range = layerReplication.first(where: { $0.isEmpty || $0.upperBound > layerCount }) {
            throw CheckpointError(
                .adapterRange,
                "there are no such layers",
                file: AdapterFileName.config,
                key: "layer_replication",
                expected: "ranges within 0..<\(layerCount)",
                found: "\(range)"
            )
        }
        return layerReplication.flatMap { Array($0) }
    }
}
