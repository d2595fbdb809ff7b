public import Files

// Indexes of sharded weights.
extension CheckpointError.Code {
    /// The index names no tensor.
    public static let indexEmpty = Self("index.empty")
    /// A shard that the index names is not there.
    public static let indexShardMissing = Self("index.shardMissing", .missingInput)
    /// A tensor is not in the shard that the index names.
    public static let indexTensorMissing = Self("index.tensorMissing")
    /// Two shards have a tensor of the same name.
    public static let indexDuplicateTensor = Self("index.duplicateTensor")
    /// A shard has a tensor that the index does not name.
    public static let indexTensorUnmapped = Self("index.tensorUnmapped")
    /// A file of weights lies in the folder and is not used.
    public static let indexShardUnused = Self("index.shardUnused")
    /// The tensors have another size in all than the index says.
    public static let indexTotalSize = Self("index.totalSize")
    /// More than one set of weights lies in the folder.
    public static let indexAmbiguous = Self("index.ambiguous")
}

// `config.json`.
extension CheckpointError.Code {
    /// A number is outside of what it may be.
    public static let configRange = Self("config.range")
    /// A tensor has another shape than the configuration implies.
    public static let configShape = Self("config.shape")
    /// The architecture or a value is not one that is known.
    public static let configUnsupported = Self("config.unsupported", .unsupported)
    /// What is said of quantization is not what the tensors are.
    public static let configQuantization = Self("config.quantization")
    /// Two keys say what cannot both be.
    public static let configContradiction = Self("config.contradiction")
    /// The model brings code of its own, which is never run.
    public static let configRemoteCode = Self("config.remoteCode")
}

// A model and its tensors.
extension CheckpointError.Code {
    /// A tensor that the configuration implies is not there.
    public static let modelTensorMissing = Self("model.tensorMissing")
    /// A tensor is there that the configuration does not imply.
    public static let modelTensorUnexpected = Self("model.tensorUnexpected")
    /// What is known of the model is a guess by the names of its tensors.
    public static let modelGuess = Self("model.guess")
    /// Weights that could be quantized stay as they are.
    public static let modelKept = Self("model.kept")
    /// The result is one that other programs do not open as it is.
    public static let modelForeign = Self("model.foreign")
}

// Tokenizers.
extension CheckpointError.Code {
    /// Tokens, kinds and scores are not equally many.
    public static let tokenizerCount = Self("tokenizer.count")
    /// The vocabulary is not one of the model.
    public static let tokenizerVocab = Self("tokenizer.vocab")
    /// A merge is malformed, or of tokens that there are not.
    public static let tokenizerMerge = Self("tokenizer.merge")
    /// The tokenizer has a part that is not known.
    public static let tokenizerUnsupported = Self("tokenizer.unsupported", .unsupported)
    /// An added token is empty, or two texts share a number.
    public static let tokenizerAddedToken = Self("tokenizer.addedToken")
    /// A pattern does not compile, or a match takes too many steps.
    public static let tokenizerPattern = Self("tokenizer.pattern")
    /// A template names a special token that there is not.
    public static let tokenizerTemplate = Self("tokenizer.template")
    /// A model's folder has no tokenizer.
    public static let tokenizerMissing = Self("tokenizer.missing")
}

// Numbers in tensors and configurations.
extension CheckpointError.Code {
    /// A weight is NaN or infinite.
    public static let numNonFinite = Self("num.nonFinite")
    /// Numbers are too large for the type they are stored in.
    public static let numOverflow = Self("num.overflow")
    /// A decomposition of a matrix did not converge.
    public static let numFactorization = Self("num.factorization")
}
