/// What a container holds, before the model in it is checked.
///
/// Every kind of container makes one of these; nothing behind it knows the difference.
struct CheckpointContents: Sendable {
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
}

extension CheckpointContents {
    /// Opens whatever the path names.
    init(at path: String, options: Checkpoint.Options) throws(CheckpointError) {
        let file = try InputFile(at: path)
        if file.fileName.hasSuffix(".gguf") {
            try self.init(gguf: file, options: options)
            weightFiles = [file]
            return
        }
        let safetensors = try SafetensorsFile(source: file)
        self.init(
            name: file.fileName,
            container: .safetensors,
            tensors: safetensors.tensors,
            metadata: safetensors.header.metadata,
            weightFiles: [file]
        )
    }
}
