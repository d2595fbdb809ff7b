package import Containers
package import Files
internal import Tensors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// What a container holds, before the model in it is checked.
///
/// Every kind of container makes one of these; nothing behind it knows the difference.
struct CheckpointContents: Sendable {
    /// A tensor that a shard holds but the index does not map.
    struct UnmappedTensor: Sendable {
        let name: Name
        let shard: String
    }

    /// The last component of the path that was opened.
    var name: String
    var container: Checkpoint.Container
    /// All tensors, file by file, each in the order of its data; no name occurs twice.
    var tensors: [TensorView]
    /// `config.json`, or what a container without one says in its stead.
    var configuration: JSONObject?
    /// Files to carry along, sorted by name.
    var companions: [Checkpoint.Companion] = []
    var metadata = JSONObject()
    var warnings: [CheckpointWarning] = []
    /// The opened files that hold the weights.
    var weightFiles: [InputFile] = []
    var folder: InputFolder?
    /// The path of the file or folder that was opened, absolute and without links.
    var resolvedPath = ""
    /// The type to store floats in where the container itself does not tell; see `Checkpoint`.
    var preferredDType: DType?
    /// Tensors that were left out, because the index does not know them.
    var unmappedTensors: [UnmappedTensor] = []
}

extension CheckpointContents {
    /// Opens whatever the path names: a folder, a file, or a model in the Hugging Face cache.
    init(at path: String, options: Checkpoint.Options) throws(CheckpointError) {
        do throws(CheckpointError) {
            if CheckpointContents.isFolder(path) {
                try self.init(folder: InputFolder(at: path), options: options)
            } else {
                try self.init(file: path, options: options)
            }
        } catch  where error.code == .fileMissing && error.file == lastComponent(of: path) {
            var error = error
            error.file = path
            guard let repository = HubRepository(path) else { throw error }
            guard let snapshot = HubCache(environment: HubCache.systemVariable).snapshot(repository)
            else {
                error.hint =
                    "the local Hugging Face cache does not hold it either; nothing is downloaded"
                throw error
            }
            try self.init(folder: InputFolder(at: snapshot), options: options)
            name = path
        }
    }

    /// Opens one file of weights.
    private init(file path: String, options: Checkpoint.Options) throws(CheckpointError) {
        let fileName = lastComponent(of: path)
        guard !Name(fileName).isPickle else {
            // Only a file that is there is worth this answer.
            _ = try InputFile(at: path)
            throw CheckpointError.pickle(fileName)
        }
        let file = try InputFile(at: path)
        let resolved = InputFolder.resolved(path) ?? path
        if Name(fileName).hasSuffix(".gguf") {
            try self.init(gguf: file, options: options)
            weightFiles = [file]
            resolvedPath = resolved
            return
        }
        let safetensors = try SafetensorsFile(
            weights: file,
            memory: ZstdMemory(budget: options.budget)
        )
        self.init(
            name: fileName,
            container: .safetensors,
            tensors: safetensors.tensors,
            metadata: safetensors.header.metadata,
            weightFiles: [file],
            resolvedPath: resolved
        )
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return false }
        return FileIdentity(status).isFolder
    }
}

/// The last component of a path, for messages.
func lastComponent(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}

extension SafetensorsFile {
    /// Opens a weight file, unpacking it if its name ends in `.zst`.
    package init(
        weights file: InputFile,
        memory: ZstdMemory = ZstdMemory()
    ) throws(CheckpointError) {
        let isPacked = file.fileName.hasSuffix(".zst")
        try self.init(source: isPacked ? ZstdFile(file, memory: memory) : file)
    }
}

extension CheckpointError {
    /// The refusal of a pickle.
    static func pickle(_ fileName: String) -> CheckpointError {
        CheckpointError(
            .pickleRefused,
            "a pickle, not a safetensors file",
            file: fileName,
            hint: InputFolder.pickleHint
        )
    }
}
