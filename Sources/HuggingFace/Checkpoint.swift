public import Containers
public import Files
public import Machine
public import Tensors

/// A model on disk: its tensors by name, its configuration, and the files that go with it.
///
/// Opens a folder (one safetensors file, or shards with an index), a bare `.safetensors`,
/// `.safetensors.zst` or `.gguf` file, or `org/name` if the local Hugging Face cache holds it.
/// Nothing is downloaded, no pickle is opened, no code of a model is run.
public struct Checkpoint: Sendable {
    /// What to accept.
    public struct Options: Sendable {
        /// Lets symbolic links in the folder lead anywhere.
        public var followsLinks: Bool
        /// Takes tensors as they come: any architecture, no check against `config.json`, which
        /// may be missing.
        public var allowsAnyArchitecture: Bool
        /// Makes the tokenizer files of a GGUF file; one that is not known is refused then.
        public var readsTokenizer = true
        /// What buffers for reading packed files are counted against.
        public var budget: MemoryBudget?

        /// Makes options; by default the strict ones.
        public init(followsLinks: Bool = false, allowsAnyArchitecture: Bool = false) {
            self.followsLinks = followsLinks
            self.allowsAnyArchitecture = allowsAnyArchitecture
        }
    }

    /// How the tensors are stored.
    public enum Container: String, Sendable {
        case safetensors
        case gguf
    }

    /// A file that belongs to the model and holds no weights: tokenizer, licence and the like.
    public struct Companion: Sendable {
        /// The name in the folder.
        public let name: Name
        /// Its bytes.
        public let source: any ByteSource
    }

    let contents: CheckpointContents
    private let positions: [Name: Int]
    /// The validated configuration; nil for a bare file, and where any architecture is allowed and
    /// the tensors are not those of a known one.
    public let model: ModelConfig?
    /// What `config.json` says about quantized weights; nil if nothing.
    package let quantization: QuantizationDeclaration?
    /// Why weights that another method quantized cannot be read; nil if there are none.
    package let foreignQuantization: CheckpointError?
    private let guess: GuessedModules
    /// What is odd, but does not keep the checkpoint from being used.
    public let warnings: [CheckpointWarning]

    /// Opens a checkpoint and validates everything but the tensors' values.
    /// - Throws: `CheckpointError` that names the file and the place.
    public init(at path: String, options: Options = Options()) throws(CheckpointError) {
        try self.init(
            contents: CheckpointContents(at: path, options: options),
            options: options
        )
    }

    init(contents: CheckpointContents, options: Options) throws(CheckpointError) {
        self.contents = contents
        var positions = [Name: Int](minimumCapacity: contents.tensors.count)
        for (index, tensor) in contents.tensors.enumerated() {
            positions[tensor.description.name] = index
        }
        self.positions = positions
        let validation = try ModelValidation(contents, options: options) { name in
            positions[name].map { contents.tensors[$0] }
        }
        model = validation.model
        quantization = validation.quantization
        foreignQuantization = validation.foreignQuantization
        guess = GuessedModules(configuration: contents.configuration, tensors: contents.tensors)
        warnings = contents.warnings + validation.warnings
    }

    /// The last component of the path that was opened.
    public var name: String { contents.name }
    /// The absolute path of the file or folder that was opened, without links.
    public var resolvedPath: String { contents.resolvedPath }
    /// How the tensors are stored.
    public var container: Container { contents.container }
    /// All tensors, file by file, each in the order of its data.
    public var tensors: [TensorView] { contents.tensors }
    /// `config.json` as it is; nil for a bare file.
    public var configuration: JSONObject? { contents.configuration }
    /// The files that go with the model, in the order of their names; without `config.json`.
    public var companions: [Companion] { contents.companions }
    /// `__metadata__` of the first weight file.
    public var metadata: JSONObject { contents.metadata }
    /// The type to store float tensors in if nobody asks for another.
    ///
    /// Packed GGUF tensors decode to float32, but stand for a model that had bfloat16. Nil means:
    /// as they are.
    public var preferredDType: DType? { contents.preferredDType }
    /// The files that hold the weights, in the order in which `tensors` runs through them.
    package var weightFiles: [InputFile] { contents.weightFiles }
    /// The folder, if one was opened.
    package var folder: InputFolder? { contents.folder }

    /// The tensor with a name; nil if there is none.
    public subscript(name: Name) -> TensorView? {
        positions[name].map { contents.tensors[$0] }
    }

    /// What a tensor is the weight of: by the architecture, or else a guess by its name; nil for any
    /// other tensor.
    package func moduleKind(of tensor: TensorDescription) -> ModelModule.Kind? {
        guard let model else { return guess.kind(of: tensor) }
        guard let module = model.module(owning: tensor.name), tensor.name == module.weightName
        else { return nil }
        return module.kind
    }

    /// Output heads that are not stored where they are tied to an embedding, of any architecture.
    package static let tiedHeads = GuessedModules.tiedHeads

    /// A key of `__metadata__` for results whose tensors are not those of their architecture.
    package static let uncheckedKey = ModelValidation.uncheckedKey

    /// Whether it could be opened only because nothing was checked against `config.json`: the
    /// architecture is known and the tensors are not those of it, or the file names none.
    package var failsItsConfiguration: Bool {
        guard model == nil, let configuration else { return false }
        do throws(CheckpointError) {
            _ = try Architecture(configuration: configuration)
            return true
        } catch {
            return error.code != .configUnsupported
        }
    }

    /// Throws `file.changed` if a weight file was modified since it was opened.
    public func checkUnchanged() throws(CheckpointError) {
        for file in contents.weightFiles { try file.checkUnchanged() }
    }
}
