extension CheckpointError {
    /// The stable names of everything that can be wrong.
    ///
    /// A minor release may add cases.
    public enum Code: String, Sendable, CaseIterable {
        // Files and folders
        case fileMissing = "file.missing"
        case fileUnreadable = "file.unreadable"
        case fileNotRegular = "file.notRegular"
        case fileEmpty = "file.empty"
        case fileChanged = "file.changed"
        case fileIo = "file.io"
        case fileTooLarge = "file.tooLarge"
        /// The file or folder is no part of what is read or written.
        case fileLeftOut = "file.leftOut"
        /// The content is not that of the digest in `SHA256SUMS`.
        case fileChecksum = "file.checksum"
        /// `SHA256SUMS` itself is malformed.
        case fileChecksumList = "file.checksumList"
        // File names out of JSON files
        case pathEscape = "path.escape"
        case pathBadName = "path.badName"
        case pathLinkOutside = "path.linkOutside"
        // Pickles, never opened
        case pickleRefused = "pickle.refused"
        // Limits on what is read
        case limitFileSize = "limit.fileSize"
        case limitNameLength = "limit.nameLength"
        case limitRank = "limit.rank"
        case limitCount = "limit.count"
        case limitMemory = "limit.memory"
        // JSON texts
        case jsonEncoding = "json.encoding"
        case jsonSyntax = "json.syntax"
        case jsonTrailing = "json.trailing"
        case jsonDepth = "json.depth"
        case jsonDuplicateKey = "json.duplicateKey"
        case jsonNumber = "json.number"
        case jsonType = "json.type"
        case jsonMissingKey = "json.missingKey"
        // safetensors headers
        case stTooShort = "st.tooShort"
        case stHeaderTooLarge = "st.headerTooLarge"
        case stHeaderBeyondFile = "st.headerBeyondFile"
        case stHeaderStart = "st.headerStart"
        case stBadName = "st.badName"
        case stDuplicateName = "st.duplicateName"
        case stDtype = "st.dtype"
        case stOverflow = "st.overflow"
        case stSizeMismatch = "st.sizeMismatch"
        case stOffsets = "st.offsets"
        case stHole = "st.hole"
        case stOverlap = "st.overlap"
        case stNotCovered = "st.notCovered"
        // Sharded indexes
        case indexEmpty = "index.empty"
        case indexShardMissing = "index.shardMissing"
        case indexTensorMissing = "index.tensorMissing"
        case indexDuplicateTensor = "index.duplicateTensor"
        case indexTensorUnmapped = "index.tensorUnmapped"
        case indexShardUnused = "index.shardUnused"
        case indexTotalSize = "index.totalSize"
        case indexAmbiguous = "index.ambiguous"
        // config.json
        case configRange = "config.range"
        case configShape = "config.shape"
        case configUnsupported = "config.unsupported"
        case configQuantization = "config.quantization"
        case configRemoteCode = "config.remoteCode"
        // A model and its tensors
        case modelTensorMissing = "model.tensorMissing"
        case modelTensorUnexpected = "model.tensorUnexpected"
        /// What is known of the model is a guess by the names of its tensors.
        case modelGuess = "model.guess"
        /// Weights that could be quantized stay as they are.
        case modelKept = "model.kept"
        /// The result is one that other programs do not open as it is.
        case modelForeign = "model.foreign"
        /// A text is longer than the model's context.
        case modelContext = "model.context"
        // Quantized tensors
        case quantState = "quant.state"
        case quantShape = "quant.shape"
        case quantMap = "quant.map"
        case quantAbsmax = "quant.absmax"
        case quantUnsupported = "quant.unsupported"
        case quantTwice = "quant.twice"
        // Numbers
        case numNonFinite = "num.nonFinite"
        case numOverflow = "num.overflow"
        /// A decomposition of a matrix did not converge.
        case numFactorization = "num.factorization"
        // zstd frames and seek tables
        case zstdMagic = "zstd.magic"
        case zstdTruncated = "zstd.truncated"
        case zstdCorrupt = "zstd.corrupt"
        case zstdChecksum = "zstd.checksum"
        case zstdWindow = "zstd.window"
        case zstdSizeMissing = "zstd.sizeMissing"
        case zstdSize = "zstd.size"
        case zstdDictionary = "zstd.dictionary"
        case zstdTrailing = "zstd.trailing"
        case zstdEmpty = "zstd.empty"
        case zstdSeekTable = "zstd.seekTable"
        case zstdLimit = "zstd.limit"
        /// One large frame is read in an order that would unpack it again and again.
        case zstdOrder = "zstd.order"
        // GGUF files
        case ggufMagic = "gguf.magic"
        case ggufVersion = "gguf.version"
        case ggufTruncated = "gguf.truncated"
        case ggufCount = "gguf.count"
        case ggufString = "gguf.string"
        case ggufArray = "gguf.array"
        case ggufDepth = "gguf.depth"
        case ggufKey = "gguf.key"
        case ggufDuplicateKey = "gguf.duplicateKey"
        case ggufValueType = "gguf.valueType"
        case ggufBool = "gguf.bool"
        case ggufKeyType = "gguf.keyType"
        case ggufMissingKey = "gguf.missingKey"
        case ggufAlignment = "gguf.alignment"
        case ggufName = "gguf.name"
        case ggufDuplicateName = "gguf.duplicateName"
        case ggufDims = "gguf.dims"
        case ggufOverflow = "gguf.overflow"
        case ggufType = "gguf.type"
        case ggufUnsupported = "gguf.unsupported"
        case ggufBlockSize = "gguf.blockSize"
        case ggufOffset = "gguf.offset"
        case ggufBeyondFile = "gguf.beyondFile"
        case ggufTrailing = "gguf.trailing"
        // Tokenizers
        case tokenizerCount = "tokenizer.count"
        case tokenizerVocab = "tokenizer.vocab"
        case tokenizerMerge = "tokenizer.merge"
        case tokenizerUnsupported = "tokenizer.unsupported"
        /// An added token is empty, or two texts share a number.
        case tokenizerAddedToken = "tokenizer.addedToken"
        /// A pattern does not compile, or a match takes too many steps.
        case tokenizerPattern = "tokenizer.pattern"
        /// A template names a special token that there is not.
        case tokenizerTemplate = "tokenizer.template"
        /// A model's folder has no tokenizer.
        case tokenizerMissing = "tokenizer.missing"
        /// A model has no template for conversations.
        case templateMissing = "template.missing"
        /// A template is malformed.
        case templateSyntax = "template.syntax"
        /// A template uses what is not known here.
        case templateUnsupported = "template.unsupported"
        /// A template takes too many steps, writes too much or is nested too deeply.
        case templateLimit = "template.limit"
        /// A template cannot be carried out, or says itself that a conversation is not possible.
        case templateFailed = "template.failed"
        /// A text is not UTF-8.
        case textEncoding = "text.encoding"
        // Adapters
        /// A tensor belongs to nothing that the configuration announces.
        case adapterTensorUnused = "adapter.tensorUnused"
        /// The configuration announces a tensor that is not there.
        case adapterTensorMissing = "adapter.tensorMissing"
        case adapterShape = "adapter.shape"
        case adapterDtype = "adapter.dtype"
        /// A rank, alpha or probability is outside of what it may be.
        case adapterRange = "adapter.range"
        /// What selects modules selects none.
        case adapterNoTarget = "adapter.noTarget"
        /// A pattern is malformed, or not one that matches in linear time.
        case adapterPattern = "adapter.pattern"
        /// An adapter's name is unknown, taken, or none that it can have.
        case adapterName = "adapter.name"
        /// The adapter is merged, or is not, where it has to be the other way round.
        case adapterMerged = "adapter.merged"
        /// The adapter changes nothing.
        case adapterNoEffect = "adapter.noEffect"
        /// The base is not the one that the adapter was made together with.
        case adapterWrongBase = "adapter.wrongBase"
        /// Two fields of the configuration exclude each other.
        case adapterContradiction = "adapter.contradiction"
        case adapterUnsupported = "adapter.unsupported"
        /// A factor or a merged weight is NaN or infinite.
        case adapterNotFinite = "adapter.notFinite"
        // Writing
        case outputExists = "output.exists"
        case outputBusy = "output.busy"
        /// A stopped run would be thrown away.
        case outputUnfinished = "output.unfinished"
        case outputInsideInput = "output.insideInput"
        case outputFingerprint = "output.fingerprint"
        case outputStopped = "output.stopped"
        case outputInterrupted = "output.interrupted"
        // What was asked for
        case optionUnused = "option.unused"
        // The machine
        case hostKernel = "host.kernel"
    }

    /// The kinds of failure that a caller may want to treat differently.
    public enum Category: Sendable, CaseIterable {
        /// The input is malformed or contradicts itself.
        case badData
        /// The input is not there, or not something that can be read.
        case missingInput
        /// The input is sound, but not something this library does.
        case unsupported
        /// The output is there already, or somebody else is writing it.
        case outputExists
        /// The system failed to read or write.
        case inputOutput
        /// Stopped before the end, with enough kept to go on.
        case stopped
        /// Interrupted before there was anything to keep.
        case interrupted
        /// The request itself contradicts itself.
        case usage
    }
}

extension CheckpointError.Code {
    /// The kind of failure.
    public var category: CheckpointError.Category {
        switch self {
        case .fileMissing, .fileUnreadable, .fileNotRegular, .indexShardMissing: .missingInput
        case .pickleRefused, .zstdOrder, .configUnsupported, .quantUnsupported, .ggufVersion,
            .ggufUnsupported, .tokenizerUnsupported, .templateUnsupported, .adapterUnsupported,
            .hostKernel:
            .unsupported
        case .outputExists, .outputBusy, .outputUnfinished: .outputExists
        case .fileChanged, .fileIo: .inputOutput
        case .limitMemory, .outputStopped: .stopped
        case .outputInterrupted: .interrupted
        case .outputInsideInput, .optionUnused: .usage
        default: .badData
        }
    }
}
