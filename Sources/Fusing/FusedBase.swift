internal import CheckpointIO
internal import QLoRA

/// A base with the tensors that adapters need: its layers in their order, and a head of its own where they
/// tell it apart from the embedding that it was tied to.
struct FusedBase {
    let checkpoint: Checkpoint
    let warnings: [CheckpointWarning]

    init(_ base: Checkpoint, _ parts: [AdapterFuser.Part]) throws(CheckpointError) {
        let stacks = Set(parts.map(\.adapter.config.layerReplication))
        guard stacks.count <= 1 else {
            throw CheckpointError(
                .adapterContradiction,
                "the adapters stack layers differently",
                file: AdapterFileName.config,
                key: "layer_replication"
            )
        }
        var checkpoint = base
        let layerCount = base.model?.layerCount ?? 0
        if let order = try parts.first?.adapter.config.layerOrder(of: layerCount) {
            checkpoint = try base.restacked(order)
        }
        var warnings: [CheckpointWarning] = []
        if try Self.separatesHead(of: checkpoint, parts) {
            checkpoint = try checkpoint.withOwnHead()
            warnings.append(
                CheckpointWarning(
                    CheckpointError(
                        .modelKept,
                        "the output head is not tied to the embedding any more: the adapter tells "
                            + "them apart",
                        file: "config.json",
                        key: "tie_word_embeddings"
                    )
                )
            )
        }
        (self.checkpoint, self.warnings) = (checkpoint, warnings)
    }

    /// Whether embedding and head, which are one tensor, become two.
    private static func separatesHead(
        of checkpoint: Checkpoint,
        _ parts: [AdapterFuser.Part]
    ) throws(CheckpointError) -> Bool {
        let tree = try ModuleTree(checkpoint)
        guard tree.tiesHead else { return false }
        var uses: Set<TiedHeadUse> = []
        for part in parts {
            uses.formUnion(try part.adapter.bound(to: tree).tiedHeadUses(in: tree))
        }
        guard uses.contains(.separate) else { return false }
        guard !uses.contains(.joint) else {
            throw CheckpointError(
                .adapterUnsupported,
                "cannot be merged: embedding and output head are one tensor, which is changed as one and "
                    + "as two",
                file: AdapterFileName.config
            )
        }
        return true
    }
}

/// How an adapter changes a tensor that is embedding and output head.
private enum TiedHeadUse {
    /// Both alike.
    case joint
    /// One of them, or both differently.
    case separate
}

extension BoundAdapter {
    fileprivate func tiedHeadUses(in tree: ModuleTree) -> Set<TiedHeadUse> {
        let ends = [tree.inputEmbedding, tree.outputHead].compactMap { $0 }
        var uses: Set<TiedHeadUse> = []
        let touched = Set(
            layers.map(\.target.module.name).filter(ends.contains)
                + replacements.map { String($0.tensor.text.dropLast(".weight".count)) }
                .filter(ends.contains)
        )
        if !touched.isEmpty {
            uses.insert(touched.count == 2 && config.ensuresWeightTying ? .joint : .separate)
        }
        switch config.trainableTokens {
        case nil: break
        // A list, and equal lists for both, are rows of the one tensor.
        case .modules(let modules)? where modules.count == 1 || Set(modules.values).count > 1:
            uses.insert(.separate)
        default: uses.insert(.joint)
        }
        return uses
    }
}
