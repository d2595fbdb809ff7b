internal import Containers
package import Files

/// Models made of the tensors of another one, without a copy: what adapters can ask for that stack layers anew
/// or tell apart what is tied.
extension Checkpoint {
    /// Stacks the layers anew.
    /// - Parameter order: the layer at each place; layers may be left out, and occur several times.
    /// - Returns: the model with so many layers.
    /// - Throws: `config.unsupported` if the layers are not alike or the architecture is not known;
    ///   `config.range` for a layer that there is not.
    package func restacked(_ order: [Int]) throws(CheckpointError) -> Checkpoint {
        guard let model, var json = configuration, hasLikeLayers(model, json) else {
            throw cannotRearrange("its layers cannot be stacked anew")
        }
        if let missing = order.first(where: { !(0..<model.layerCount ~= $0) }) {
            throw CheckpointError(
                .configRange,
                "there is no such layer",
                file: CheckpointContents.configFileName,
                expected: "0 to \(model.layerCount - 1)",
                found: "\(missing)"
            )
        }
        json[model.architecture == .gpt2 ? "n_layer" : "num_hidden_layers"] = .integer(order.count)
        if case .array(let types)? = json["layer_types"] {
            json["layer_types"] = .array(order.map { types[$0] })
        }
        var layers: [Int: [(place: LayerName, view: TensorView)]] = [:]
        for view in tensors {
            guard let place = LayerName(view.description.name) else { continue }
            layers[place.index, default: []].append((place, view))
        }
        let stack = order.enumerated().flatMap { index, layer in
            (layers[layer] ?? []).map { $0.view.named($0.place.at(index)) }
        }
        let first = tensors.firstIndex { LayerName($0.description.name) != nil } ?? tensors.count
        let rest = tensors[first...].filter { LayerName($0.description.name) == nil }
        return try rearranged(Array(tensors[..<first]) + stack + rest, json)
    }

    /// Gives the output head a tensor of its own, equal to the embedding that it is tied to.
    /// - Returns: the model, not tied any more.
    /// - Throws: `config.unsupported` if it is not tied, or the architecture is not known.
    package func withOwnHead() throws(CheckpointError) -> Checkpoint {
        guard let model, var json = configuration, model.tiesWordEmbeddings,
            let embedding = model.modules.first(where: { $0.kind == .embedding })
        else { throw cannotRearrange("it has no head that is tied to an embedding") }
        json["tie_word_embeddings"] = .bool(false)
        let prefix = embedding.path.text + "."
        let head = tensors.filter { $0.description.name.text.hasPrefix(prefix) }.map { view in
            view.named(Name("lm_head." + view.description.name.text.dropFirst(prefix.count)))
        }
        return try rearranged(tensors + head, json)
    }

    /// Whether a layer does the same at any place of the stack, or `layer_types` says what it does.
    private func hasLikeLayers(_ model: ModelConfig, _ json: JSONObject) -> Bool {
        if case .array(let types)? = json["layer_types"] { return types.count == model.layerCount }
        if case .bool(true)? = json["use_sliding_window"] { return false }
        return model.architecture != .gemma2
    }

    private func rearranged(
        _ tensors: [TensorView],
        _ configuration: JSONObject
    ) throws(CheckpointError) -> Checkpoint {
        var contents = contents
        contents.tensors = tensors
        contents.configuration = configuration
        return try Checkpoint(contents: contents, options: Options())
    }

    private func cannotRearrange(_ message: String) -> CheckpointError {
        CheckpointError(
            .configUnsupported,
            "the model cannot be rearranged: \(message)",
            file: CheckpointContents.configFileName
        )
    }
}

/// The name of a tensor of a layer: what stands before and behind the layer's number.
private struct LayerName {
    let prefix: String
    let index: Int
    let rest: String

    /// Takes a name apart; nil for tensors of no layer.
    init?(_ name: Name) {
        let parts = name.text.split(separator: ".", omittingEmptySubsequences: false)
        guard let place = parts.firstIndex(where: { $0 == "layers" || $0 == "h" }),
            place + 1 < parts.count, let index = Int(parts[place + 1])
        else { return nil }
        prefix = parts[...place].joined(separator: ".")
        self.index = index
        rest = parts[(place + 2)...].joined(separator: ".")
    }

    /// The name in the layer at another place.
    func at(_ index: Int) -> Name { Name("\(prefix).\(index).\(rest)") }
}
