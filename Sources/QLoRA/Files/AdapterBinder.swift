public import CheckpointIO
internal import Tensors

extension AdapterFolder {
    /// Says what the adapter means for a base model.
    ///
    /// - Parameter tree: the modules of the base.
    /// - Returns: the adapter with every tensor in its place.
    /// - Throws: `adapter.tensorUnused`, `adapter.tensorMissing`, `adapter.shape`, `adapter.dtype`;
    ///   `adapter.unsupported` if its initialisation changed the base; what `ModuleSelection` throws.
    public func bound(to tree: ModuleTree) throws(CheckpointError) -> BoundAdapter {
        guard !config.initialization.changesBase else {
            throw CheckpointError(
                .adapterUnsupported,
                "the adapter began by changing its base, and means nothing for the original one",
                file: AdapterFileName.config,
                key: "init_lora_weights",
                found: config.initialization.name,
                hint: "make a plain adapter of it, with the initial one or the original base"
            )
        }
        var binder = try AdapterBinder(self, tree)
        return try binder.bind()
    }
}

/// Gives every tensor of an adapter's file its place.
struct AdapterBinder {
    static let prefix = "base_model.model."

    private let folder: AdapterFolder
    private let tree: ModuleTree
    private let selection: ModuleSelection
    /// Where tensors may be: `module.part` to what it is.
    private var places: [String: Place] = [:]
    private var views: [Place: TensorView] = [:]

    /// What a tensor can be.
    private enum Place: Hashable {
        case a(Int)
        case b(Int)
        case factorBias(Int)
        case magnitude(Int)
        case replacement(String)
        case carried(String)
        case tokens(Int)
    }

    private var targets: [ModuleSelection.Target]
    private let tokens: [(module: ModuleTree.Module, rows: [Int])]

    init(_ folder: AdapterFolder, _ tree: ModuleTree) throws(CheckpointError) {
        self.folder = folder
        self.tree = tree
        do throws(CheckpointError) {
            selection = try ModuleSelection(folder.config, in: tree)
            tokens = try ModuleSelection.tokenRows(folder.config, tree)
        } catch {
            throw error.inFile(AdapterFileName.config)
        }
        targets = selection.targets
        addTiedHead()
    }

    mutating func bind() throws(CheckpointError) -> BoundAdapter {
        announce()
        try assign()
        try requireAll()
        let layers = targets.indices.map { index in
            BoundAdapter.Layer(
                target: targets[index],
                a: view(.a(index)),
                b: view(.b(index)),
                bias: views[.factorBias(index)],
                magnitude: views[.magnitude(index)]
            )
        }
        let replacements = views.compactMap { place, view in
            if case .replacement(let name) = place {
                BoundAdapter.Replacement(tensor: Name(name), view: view)
            } else {
                nil
            }
        }
        let carried = views.compactMap { place, view in
            if case .carried(let name) = place {
                BoundAdapter.Replacement(tensor: Name(name), view: view)
            } else {
                nil
            }
        }
        return BoundAdapter(
            config: folder.config,
            name: folder.name,
            layers: layers,
            replacements: replacements.sorted { $0.tensor < $1.tensor },
            tokenRows: tokens.indices.map { index in
                BoundAdapter.TokenRows(
                    module: tokens[index].module.name,
                    rows: tokens[index].rows,
                    view: view(.tokens(index))
                )
            },
            carriedWeights: carried.sorted { $0.tensor < $1.tensor },
            warnings: folder.warnings + selection.warnings
        )
    }

    /// A head that is tied to an adapted embedding has the same factors, exchanged and transposed.
    private mutating func addTiedHead() {
        guard folder.config.ensuresWeightTying, tree.tiesHead,
            let head = tree.outputHead.flatMap({ tree[$0] }),
            let embedding = targets.first(where: { $0.module.name == tree.inputEmbedding })
        else { return }
        targets.append(
            ModuleSelection.Target(
                module: head,
                rank: embedding.rank,
                alpha: embedding.alpha,
                scaling: embedding.scaling
            )
        )
    }

    private func view(_ place: Place) -> TensorView {
        guard let view = views[place] else { preconditionFailure("\(place) is required") }
        return view
    }

    // MARK: What the configuration announces

    private mutating func announce() {
        for (index, target) in targets.enumerated() {
            let name = target.module.name
            if target.module.kind == .embedding {
                places[name + ".lora_embedding_A"] = .a(index)
                places[name + ".lora_embedding_B"] = .b(index)
            } else {
                places[name + ".lora_A.weight"] = .a(index)
                places[name + ".lora_B.weight"] = .b(index)
                if folder.config.hasLoRABias { places[name + ".lora_B.bias"] = .factorBias(index) }
            }
            if folder.config.usesDoRA {
                places[name + ".lora_magnitude_vector"] = .magnitude(index)
                // Of older versions.
                places[name + ".lora_magnitude_vector.weight"] = .magnitude(index)
            }
        }
        for (index, (module, _)) in tokens.enumerated() {
            places[module.name + ".token_adapter.trainable_tokens_delta"] = .tokens(index)
        }
        for replaced in selection.replacedTensors(folder.config, tree) {
            places[replaced.key] = .replacement(replaced.tensor)
        }
        announceCarriedWeights()
    }

    /// PEFT stores embeddings of the base beside an adapter that touches them, or changed their size.
    private mutating func announceCarriedWeights() {
        for name in [tree.inputEmbedding, tree.outputHead].compactMap({ $0 }) {
            for part in [".weight", ".base_layer.weight", ".token_adapter.base_layer.weight"]
            where places[name + part] == nil {
                places[name + part] = .carried(name + ".weight")
            }
        }
    }

    // MARK: What the file has

    private mutating func assign() throws(CheckpointError) {
        var unused: [Name] = []
        for view in folder.tensors {
            let key = view.description.name.text
            guard key.hasPrefix(Self.prefix),
                let place = places[String(key.dropFirst(Self.prefix.count))], views[place] == nil
            else {
                unused.append(view.description.name)
                continue
            }
            views[place] = view
        }
        if let first = unused.first {
            throw unusedError(first, count: unused.count)
        }
    }

    private func unusedError(_ name: Name, count: Int) -> CheckpointError {
        var error = CheckpointError(
            .adapterTensorUnused,
            "the tensor belongs to nothing that the configuration announces; "
                + "so do \(count) of \(folder.tensors.count)",
            file: AdapterFileName.weights,
            tensor: name
        )
        let key = name.text
        let parts = key.split(separator: ".")
        let isLive = ["lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B"].contains {
            factor in
            parts.firstIndex { $0 == factor }.map { index in
                parts.count > index + (factor.contains("embedding") ? 1 : 2)
            } ?? false
        }
        if isLive {
            error.hint =
                "names with an adapter's name inside come from a live model: save with save_pretrained"
        } else if !key.hasPrefix(Self.prefix) {
            error.hint = "names in an adapter's file start with \(Self.prefix)"
        } else if let nearest = nearest(to: String(key.dropFirst(Self.prefix.count))) {
            error.hint = "the nearest name is \(Self.prefix)\(nearest)"
        }
        return error
    }

    /// An announced name with the same ending, or else the same beginning.
    private func nearest(to key: String) -> String? {
        places.keys.sorted().max { left, right in
            Self.likeness(left, key) < Self.likeness(right, key)
        }
    }

    private static func likeness(_ left: String, _ right: String) -> Int {
        zip(left.utf8, right.utf8).prefix { $0 == $1 }.count
            + zip(left.utf8.reversed(), right.utf8.reversed()).prefix { $0 == $1 }.count
    }

    private func requireAll() throws(CheckpointError) {
        let required = places.filter { if case .carried = $0.value { false } else { true } }
        let missing = required.filter { views[$0.value] == nil }.keys
            .filter { !$0.hasSuffix("lora_magnitude_vector.weight") }.sorted()
        if let first = missing.first {
            throw CheckpointError(
                .adapterTensorMissing,
                "the configuration announces the tensor, and it is not there; "
                    + "\(missing.count) of \(required.count) are missing",
                file: AdapterFileName.weights,
                tensor: Name(Self.prefix + first)
            )
        }
        for (place, view) in views.sorted(by: {
            $0.value.description.name < $1.value.description.name
        }) {
            try check(view, is: shape(of: place))
        }
    }

    /// The shape that a tensor has to have; nil where the base's is not known.
    private func shape(of place: Place) -> [Int]? {
        func matrix(_ index: Int) -> (outputs: Int, inputs: Int)? {
            let module = targets[index].module
            guard module.shape.count == 2 else { return nil }
            // An embedding goes from rows to their width.
            return module.kind == .embedding
                ? (module.shape[1], module.shape[0]) : (module.shape[0], module.shape[1])
        }
        switch place {
        case .a(let index): return matrix(index).map { [targets[index].rank, $0.inputs] }
        case .b(let index): return matrix(index).map { [$0.outputs, targets[index].rank] }
        case .factorBias(let index), .magnitude(let index):
            return matrix(index).map { [$0.outputs] }
        case .tokens(let index):
            return [tokens[index].rows.count, tokens[index].module.shape.last ?? 0]
        case .replacement(let tensor):
            let module = tree[String(tensor[..<(tensor.lastIndex(of: ".") ?? tensor.endIndex)])]
            if tensor.hasSuffix(".bias") { return module?.biasCount.map { [$0] } }
            return module?.kind == .convolution1D ? module?.shape.reversed() : module?.shape
        case .carried: return nil
        }
    }

    private func check(_ view: TensorView, is shape: [Int]?) throws(CheckpointError) {
        let found = view.description
        guard FloatDType(found.dtype) != nil else {
            throw CheckpointError(
                .adapterDtype,
                "the tensor has another type",
                file: AdapterFileName.weights,
                tensor: found.name,
                expected: "F32, BF16 or F16",
                found: found.dtype.rawValue
            )
        }
        guard let shape, found.shape != shape else { return }
        throw CheckpointError(
            .adapterShape,
            "the tensor has another shape",
            file: AdapterFileName.weights,
            tensor: found.name,
            expected: "\(shape)",
            found: "\(found.shape)"
        )
    }
}
