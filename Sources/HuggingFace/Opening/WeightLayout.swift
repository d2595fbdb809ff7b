internal import Files

/// Which of a folder's files hold the weights.
struct WeightLayout {
    enum Weights: Equatable {
        case single(Name)
        case sharded(index: Name)
        case gguf(Name)
    }

    let weights: Weights
    private(set) var warnings: [CheckpointWarning] = []

    /// Chooses among the files of a folder.
    /// - Throws: `pickle.refused` if there are only pickles, `file.missing` if nothing can be
    ///   chosen.
    init(names: [Name], folderName: String) throws(CheckpointError) {
        let indexes = names.filter { $0.hasSuffix(".safetensors.index.json") }
        // An adapter beside a model is no part of it.
        let files = names.filter { $0.isSafetensors && !$0.hasPrefix("adapter_") }
        let index =
            indexes.contains("model.safetensors.index.json")
            ? "model.safetensors.index.json" : indexes.count == 1 ? indexes[0] : nil
        let usual: [Name] = ["model.safetensors", "model.safetensors.zst"]
        if let single = usual.first(where: files.contains) {
            weights = .single(single)
            if let index {
                warn(.indexAmbiguous, "this file is used, and the index \(index) is not", single)
            } else {
                for name in files where name != single { warnUnused(name, beside: single) }
            }
        } else if let index {
            weights = .sharded(index: index)
        } else if files.count == 1 {
            weights = .single(files[0])
        } else {
            weights = try WeightLayout.unusual(names, files, folderName)
        }
    }

    private static func unusual(
        _ names: [Name],
        _ files: [Name],
        _ folderName: String
    ) throws(CheckpointError) -> Weights {
        guard files.isEmpty else {
            throw CheckpointError(
                .fileMissing,
                "\(files.count) safetensors files and no index that says what is where",
                file: "model.safetensors.index.json"
            )
        }
        let gguf = names.filter { $0.hasSuffix(".gguf") }
        if gguf.count == 1 { return .gguf(gguf[0]) }
        guard gguf.isEmpty else {
            throw CheckpointError(
                .fileMissing,
                "\(gguf.count) GGUF files; name the one that is meant",
                file: folderName
            )
        }
        if let pickle = names.first(where: \.isPickle) { throw CheckpointError.pickle(pickle.text) }
        throw CheckpointError(
            .fileMissing,
            "the folder holds no weights",
            file: folderName,
            expected: "model.safetensors, or shards with model.safetensors.index.json",
            found: "neither"
        )
    }

    private mutating func warn(_ code: CheckpointError.Code, _ message: String, _ name: Name) {
        warnings.append(CheckpointWarning(CheckpointError(code, message, file: name.text)))
    }

    private mutating func warnUnused(_ name: Name, beside used: Name) {
        warn(.indexShardUnused, "not used; the weights are in \(used)", name)
    }
}

extension Name {
    /// Whether its ending is that of a safetensors file, packed or not.
    var isSafetensors: Bool { hasSuffix(".safetensors") || hasSuffix(".safetensors.zst") }

    /// Whether it is a file of weights, or the index of such files, in any format known.
    var isWeightFile: Bool {
        isSafetensors || isPickle
            || [".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".tflite", ".npz", ".index.json"]
                .contains { hasSuffix($0) }
    }
}
