public import CheckpointIO

/// An adapter on disk as PEFT saves it: `adapter_config.json` and `adapter_model.safetensors`.
///
/// Opening reads the configuration and the header of the tensors; `bound(to:)` says what they mean for a
/// base model.
public struct AdapterFolder: Sendable {
    /// The folder's name.
    public let name: String
    /// Its absolute path, without links.
    public let resolvedPath: String
    /// The configuration.
    public let config: LoRAConfig
    /// What is odd, but honoured.
    public let warnings: [CheckpointWarning]
    /// The tensors in the order of their data.
    public let tensors: [TensorView]
    /// The bytes of the file of tensors.
    public let byteCount: Int
    package let file: InputFile
    /// The norms of the base's weights that the adapter belongs to; nil if the file does not tell.
    package let baseCheck: BaseCheck?

    /// Opens a folder.
    /// - Throws: `file.missing`; `pickle.refused` if the tensors are in a pickle only; what
    ///   `LoRAConfig` throws; `st.…` for a malformed file of tensors.
    public init(at path: String) throws(CheckpointError) {
        let folder = try InputFolder(at: path)
        name = folder.name
        resolvedPath = folder.resolvedPath
        var warnings: [CheckpointWarning] = []
        do throws(CheckpointError) {
            let file = try folder.file(named: Name(AdapterFileName.config))
            guard file.byteCount <= LoRAConfig.maximumByteCount else {
                throw CheckpointError(.limitFileSize, "too large for a configuration")
            }
            let json = try JSONObject(parsing: try file.bytes(in: 0..<file.byteCount))
            config = try LoRAConfig(json: json, warnings: &warnings)
        } catch {
            throw error.inFile(AdapterFileName.config)
        }
        self.warnings = warnings
        let isPickled =
            folder.identity(of: Name(AdapterFileName.weights)) == nil
            && folder.identity(of: Name(AdapterFileName.pickle)) != nil
        guard !isPickled else {
            throw CheckpointError(
                .pickleRefused,
                "a pickle can run code when it is opened",
                file: AdapterFileName.pickle,
                hint: "load it with PEFT and save it again, which writes \(AdapterFileName.weights)"
            )
        }
        file = try folder.file(named: Name(AdapterFileName.weights))
        let safetensors = try SafetensorsFile(source: file)
        tensors = safetensors.tensors
        baseCheck = try BaseCheck(safetensors)
        byteCount = file.byteCount
    }
}
